"""Sources with one row per career: parses a block, and joins the careers of all blocks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.careers.assembly import NO_TALLIES, Part, assemble, quarantine_rows, sums
from trajtune.careers.event_log import ends_at_next_start
from trajtune.careers.histories import Histories
from trajtune.careers.json_columns import read_nested
from trajtune.careers.json_history import read_histories, read_lines
from trajtune.careers.json_objects import read_objects
from trajtune.careers.parse.flags import parse_flags
from trajtune.careers.parse.text import as_text, id_column, is_not_text, plain, text_column, values_of
from trajtune.careers.parse.timezone import in_timezone
from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import check_roles
from trajtune.careers.schema import CAREERS, QUARANTINE
from trajtune.careers.sources.read_file import FAULT, SWALLOWED
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import JsonHistory


def career_part(rows: pa.Table, layout: JsonHistory, settings: DataSettings, today: date) -> Part:
    """Parse a block whose rows are careers."""
    label = settings.hireable_key
    if "line" in rows.column_names:
        files = rows
        rows, histories = read_lines(text_column(rows, "line"), layout, label)
        if layout.id_column is None:
            rows = rows.set_column(0, "id", text_column(files, "id"))
    else:
        rows = in_timezone(rows, settings.timezone)
        in_json = label if "label" not in rows.column_names else None
        histories = _parse_histories(rows["history"].combine_chunks(), layout, in_json)
    if FAULT in rows.column_names:
        histories = replace(histories, faults=pc.coalesce(text_column(rows, FAULT), histories.faults))
    labels = text_column(rows, "label") if "label" in rows.column_names else histories.labels
    hireable, unreadable = parse_flags(labels)
    roles = check_roles(histories.roles, settings, today)
    if layout.end == "next_start":
        roles = ends_at_next_start(histories.owners, roles)
    part = assemble(
        id_column(rows),
        histories.owners,
        roles,
        histories.faults,
        hireable,
        "career",
        settings.merge_repeats,
        _found_instead(histories.absent, layout),
    )
    counts = {
        **part.counts,
        "labels_unreadable": int(unreadable.sum()),
        "lines_swallowed": int(pc.sum(rows[SWALLOWED]).as_py() or 0) if SWALLOWED in rows.column_names else 0,
        "histories_absent": len(histories.absent) - histories.absent.null_count,
    }
    return Part(part.careers, part.quarantine, counts, part.tallies)


def _found_instead(keys: pa.Array, layout: JsonHistory) -> pa.Array:
    """Describe the keys that were found instead of ``history_key``, string ``[N]``."""
    return pc.binary_join_element_wise(f"no {layout.history_key}, but the keys", keys, " ")


def _parse_histories(column: pa.Array, layout: JsonHistory, label: str | None) -> Histories:
    column = plain(column)
    if hasattr(column.type, "value_type") and not pa.types.is_map(column.type):
        histories = read_nested(column, layout)
        return histories if histories is not None else read_objects(values_of(column), layout)
    if pa.types.is_nested(column.type):
        return read_objects(values_of(column), layout, label)
    histories = read_histories(as_text(column), layout, label)
    if not (broken := is_not_text(column)).any():
        return histories
    faults = pc.if_else(pa.array(broken), pa.scalar("not UTF-8"), histories.faults)
    return replace(histories, faults=faults)


def join_parts(parts: Sequence[Part], merge_repeats: bool = False) -> Part:
    """Join all careers to one part with unique ids.

    If several careers have the same id, the one with the most roles is kept. Among careers of equal length,
    the latest by starts, ends and titles is kept. The others are quarantined. The order of the rows has no
    effect.

    Args:
        parts: Results of `career_part`.
        merge_repeats: Whether to merge repeats, as in `assemble`.
    """
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.counts)
    careers = pa.concat_tables([CAREERS.empty_table(), *(part.careers for part in parts)])
    quarantine = pa.concat_tables([QUARANTINE.empty_table(), *(part.quarantine for part in parts)])
    tallies = pa.concat_tables([part.tallies for part in parts] or [NO_TALLIES])
    duplicates = _indices_of_duplicates(careers)
    if len(duplicates):
        left_out = careers.take(pa.array(duplicates))
        roles = pc.list_value_length(left_out["titles"]).combine_chunks()
        details = pc.binary_join_element_wise(roles.cast(pa.string()), "roles", " ")
        duplicate_rows = quarantine_rows(
            left_out["candidate_id"].combine_chunks(),
            "career",
            np.full(len(duplicates), Reason.DUPLICATE_ID),
            details,
            np.ones(len(duplicates), np.int64),
        )
        quarantine = pa.concat_tables([quarantine, duplicate_rows])
        is_kept = np.ones(len(careers), bool)
        is_kept[duplicates] = False
        careers = careers.filter(pa.array(is_kept))
        counts.subtract(sums(tallies.take(pa.array(duplicates))))
        tallies = tallies.filter(pa.array(is_kept))
        num_roles = int(pc.sum(roles).as_py())
        num_merged = 0
        if merge_repeats:
            num_merged = num_roles - sum(
                len(list(groupby(titles))) for titles in left_out["titles"].to_pylist()
            )
        counts.update(rows_kept=-len(duplicates), rows_quarantined=len(duplicates))
        counts.update(careers=-len(duplicates), careers_quarantined=len(duplicates))
        counts.update(roles=num_merged - num_roles, roles_merged=-num_merged, roles_quarantined=num_roles)
    return Part(careers, quarantine, dict(counts), tallies)


def _indices_of_duplicates(careers: pa.Table) -> NDArray[np.int64]:
    """Return the indices of the careers that lose their id to another career."""
    coded = careers["candidate_id"].combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy()
    shared = np.flatnonzero(np.bincount(codes, minlength=len(coded.dictionary))[codes] > 1)
    rows: list[dict[str, Any]] = careers.take(pa.array(shared)).to_pylist()
    best: dict[str, tuple[Any, int]] = {}
    for at, row in zip(shared.tolist(), rows, strict=True):
        ends = [(end is None, end or date.min) for end in row["ends"]]
        label = -1.0 if row["hireable"] is None else row["hireable"]
        rank = (
            len(row["titles"]),
            row["starts"],
            ends,
            row["titles"],
            row["precisions"],
            row["end_precisions"],
            label,
        )
        if row["candidate_id"] not in best or rank > best[row["candidate_id"]][0]:
            best[row["candidate_id"]] = (rank, at)
    kept = {at for _, at in best.values()}
    return np.array([at for at in shared.tolist() if at not in kept], np.int64)
