"""Joins the careers of each person from all blocks, partition by partition, and checks the result."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from trajtune.careers.assembly import Part
from trajtune.careers.career_rows import join_parts
from trajtune.careers.exchange.blocks import Head, part_of, quarantine_of, tables_of
from trajtune.careers.exchange.by_person import BUCKETS, num_partitions
from trajtune.careers.exchange.faults import NO_FAULTS, Faults, refuse_if_too_many_faults, source_name
from trajtune.careers.exchange.partitioned import PartitionedCareers
from trajtune.careers.exchange.partitions import Content, Partitions, fetched
from trajtune.careers.role_rows import join_roles
from trajtune.careers.role_validation import EPOCH, last_day
from trajtune.careers.schema import LoadedCareers
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import JsonHistory, Layout, RoleRows


@dataclass(frozen=True)
class _Report:
    """The report on one partition: its counts, its faults, and its latest day, in days since 1970-01-01."""

    counts: Mapping[str, int]
    faults: Faults
    latest: int | None


def joined_by_person(
    blocks: Sequence[Any],
    heads: Sequence[Head],
    source: Mapping[str, Any],
    data: DataSettings,
    layout: Layout,
    today: date,
    careers_in_a_partition: int,
) -> PartitionedCareers:
    """Join the careers of all blocks, and check them. All data of a person is in one partition.

    Args:
        blocks: Ray's references to the blocks that reading tasks made.
        heads: Heads of the blocks, in any order.
        source: Description of the source for the manifest.
        data: Settings that say how rows become careers.
        layout: Layout of the source: rows are roles or careers.
        today: Last day on which anything can have happened, unless the as-of date is fixed.
        careers_in_a_partition: Number of careers above which there are more partitions.

    Raises:
        SourceError: If there is nothing to read, or if too large a share of the rows cannot be used.
    """
    counts: Counter[str] = Counter()
    for head in heads:
        counts.update(head.counts)
    is_roles = not isinstance(layout, JsonHistory)
    num = num_partitions({"rows_in": counts["rows_in"]}, is_roles, careers_in_a_partition)
    on_ray = num > 1  # for one partition, tasks would cost more than they save
    if not on_ray:
        blocks = [fetched(block) for block in blocks]
    width = BUCKETS // num
    bounds = [{"first": at * width, "end": (at + 1) * width} for at in range(num)]
    partitions, reports = Partitions(bounds, on_ray).map(_join, data, layout, *blocks)
    faults = sum((head.faults for head in heads), NO_FAULTS)
    if is_roles:
        counts = Counter()  # whether a role is kept is known only after the join
    latest = None
    for report in reports:
        counts.update(report.counts)
        faults += report.faults
        latest = max(filter(lambda day: day is not None, (latest, report.latest)), default=None)
    quarantine, _ = Partitions(blocks, on_ray).map(_quarantine)
    careers = PartitionedCareers(
        partitions, quarantine, faults.entries, dict(counts), source, _as_of(data, today, latest)
    )
    _check(careers, faults, data, layout)
    return careers


def _join(bounds: Content, data: DataSettings, layout: Layout, *blocks: pa.Table) -> tuple[Content, _Report]:
    tables = tables_of(blocks, bounds["first"], bounds["end"])
    if isinstance(layout, JsonHistory):
        part = join_parts([part_of(table) for table in tables], data.merge_repeats)
    else:
        part = join_roles(tables, data, layout)
    content = {
        "careers": part.careers.sort_by("candidate_id").combine_chunks(),
        "quarantine": part.quarantine,
    }
    return content, _Report(part.counts, Faults.of(part.quarantine), part.latest)


def _quarantine(block: pa.Table) -> tuple[Content, None]:
    return {"quarantine": quarantine_of(block)}, None


def checked_and_sorted(
    part: Part, source: dict[str, Any], data: DataSettings, today: date, layout: Layout = RoleRows()
) -> LoadedCareers:
    """Check and sort the careers of one part, as in `joined_by_person`."""
    as_of = _as_of(data, today, part.latest)
    careers = PartitionedCareers(
        Partitions([{"careers": part.careers, "quarantine": part.quarantine}]),
        Partitions([]),
        {},
        part.counts,
        source,
        as_of,
    )
    _check(careers, Faults.of(part.quarantine), data, layout)
    return careers.loaded()


def _as_of(data: DataSettings, today: date, latest: int | None) -> date:
    if isinstance(data.as_of, date):
        return data.as_of
    return min(EPOCH + timedelta(days=latest or 0), last_day(data, today))


def _check(careers: PartitionedCareers, faults: Faults, data: DataSettings, layout: Layout) -> None:
    counts, source = careers.counts, careers.source
    assert counts["rows_in"] == sum(counts[f"rows_{fate}"] for fate in ("kept", "quarantined", "duplicate"))
    assert counts["careers_in"] == counts["careers"] + counts["careers_quarantined"]
    if not counts["rows_in"]:
        raise SourceError(f"{source_name(source)} holds no row. Name another source.")
    _refuse_if_no_history_is_found(careers, layout)
    refuse_if_too_many_faults(faults, counts, source, data)
    _warn(counts)
    if data.hireable_key is not None and not counts["labels_known"]:
        raise SourceError(
            f"No career has a label under `{data.hireable_key}`. Fix `data.hireable_key`, or leave it out."
        )


def _refuse_if_no_history_is_found(careers: PartitionedCareers, layout: Layout) -> None:
    """Raise if no row has a value under ``history_key``."""
    counts = careers.counts
    if not isinstance(layout, JsonHistory) or layout.history_key is None or counts["careers"]:
        return
    if not counts["histories_absent"] or counts["roles_in"]:
        return
    found: Counter[str] = Counter()
    for partitions in (careers.quarantine, careers.partitions):
        for details in partitions.each(_keys_found):
            found.update(details)
    commonest = min(found, key=lambda detail: (-found[detail], detail))
    raise SourceError(
        f"{source_name(careers.source)}: no row holds `{layout.history_column}.{layout.history_key}`; most "
        f"rows have {commonest}. Fix `source.layout.history_key`."
    )


def _keys_found(content: Content) -> Counter[str]:
    """Count the keys that were found where no history was found."""
    return Counter(
        detail for detail in content["quarantine"]["detail"].to_pylist() if ", but the keys " in detail
    )


def _warn(counts: Mapping[str, int]) -> None:
    """Print warnings on stderr about values that were perhaps not read as intended."""
    if number := counts.get("lines_swallowed", 0):
        print(
            f"WARNING: {number:,} lines of CSV lie within a field of another row, which is in quarantine: a "
            "closing quote may be missing there.",
            file=sys.stderr,
        )
    if number := counts.get("currents_unreadable", 0):
        print(
            f"WARNING: {number:,} roles have a word for still held that is neither yes nor no: ignored.",
            file=sys.stderr,
        )
