"""Build careers from rows with the same steps as read tasks and the join."""

import json
from datetime import date
from typing import Any

import pyarrow as pa

from trajtune.careers.assembly import Part
from trajtune.careers.career_rows import career_part, join_parts
from trajtune.careers.reasons import Reason
from trajtune.careers.role_rows import join_roles, role_block
from trajtune.careers.schema import CAREERS, QUARANTINE
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import JsonHistory, RoleRows

TODAY = date(2026, 1, 1)


def from_json(rows: list[tuple[Any, Any]], settings: DataSettings = DataSettings(), pieces: int = 1) -> Part:
    """Return the careers of (id, history) rows; a history that is not text becomes JSON."""
    texts = [h if isinstance(h, str) or h is None else json.dumps(h) for _, h in rows]
    table = pa.table(
        {"id": pa.array([i for i, _ in rows], pa.string()), "history": pa.array(texts, pa.string())}
    )
    size = max(1, -(-len(table) // pieces))
    blocks = [table.slice(start, size) for start in range(0, max(1, len(table)), size)]
    parts = [career_part(block, JsonHistory(), settings, TODAY) for block in blocks]
    return join_parts(parts, settings.merge_repeats)


def from_rows(rows: list[tuple[Any, ...]], settings: DataSettings = DataSettings()) -> Part:
    """Return the careers of (id, title, start, end[, current[, label]]) rows."""
    names = ("id", "title", "start", "end", "current", "label")
    columns = {
        name: pa.array([row[at] if at < len(row) else None for row in rows], pa.string())
        for at, name in enumerate(names)
    }
    return join_roles([role_block(pa.table(columns), RoleRows(), settings, TODAY)], settings)


def role(title: Any, start: Any, end: Any = None) -> dict[str, Any]:
    return {"title": title, "start_date": start, "end_date": end}


def assert_balanced(part: Part) -> None:
    counts = part.counts
    assert counts["rows_in"] == sum(counts[f"rows_{fate}"] for fate in ("kept", "quarantined", "duplicate"))
    assert counts["careers_in"] == counts["careers"] + counts["careers_quarantined"]
    assert counts["careers"] == len(part.careers)
    assert counts["roles_in"] == sum(
        counts[f"roles{fate}"] for fate in ("", "_merged", "_quarantined", "_duplicate")
    )
    levels = part.quarantine["level"].to_pylist()
    assert sum(part.quarantine["num_rows"].to_pylist()) == counts["rows_quarantined"]
    assert set(part.quarantine["reason"].to_pylist()) <= {reason.code for reason in Reason if reason}
    assert part.careers.schema == CAREERS
    assert part.quarantine.schema == QUARANTINE
    if "" not in levels and None not in part.quarantine["candidate_id"].to_pylist():
        assert levels.count("career") == counts["careers_quarantined"]


def reasons(part: Part, level: str) -> list[tuple[Any, str, str]]:
    entries = [e for e in part.quarantine.to_pylist() if e["level"] == level]
    return sorted((e["candidate_id"], e["reason"], e["detail"]) for e in entries)


def sorted_table(table: pa.Table, *names: str) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in names or table.column_names])
