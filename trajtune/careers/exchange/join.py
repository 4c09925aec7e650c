"""Join what the blocks have of each person, partition by partition, and check the whole."""

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
    """Report of a partition: its own counts, its own faults, and the latest day in it."""

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
    """The careers of all blocks: whole people in each partition, checked.

    Args:
        blocks: Ray's references to what reading tasks made.
        heads: Of the blocks, in any order.
        source: What the manifest says of the source.
        data: How rows become careers.
        layout: What a row is.
        today: The last day on which anything can have happened, unless the as-of date is fixed.
        careers_in_a_partition: Number of careers from which there are more partitions.

    Raises:
        SourceError: If there is nothing to read, or too large a share of it cannot be used.
    """
    counts: Counter[str] = Counter()
    for head in heads:
        counts.update(head.counts)
    is_roles = not isinstance(layout, JsonHistory)
    num = num_partitions({"rows_in": counts["rows_in"]}, is_roles, careers_in_a_partition)
    on_ray = num > 1  # one partition is less work than tasks for it
    if not on_ray:
        blocks = [fetched(block) for block in blocks]
    width = BUCKETS // num
    bounds = [{"first": at * width, "end": (at + 1) * width} for at in range(num)]
    partitions, reports = Partitions(bounds, on_ray).map(_join, data, layout, *blocks)
    faults = sum((head.faults for head in heads), NO_FAULTS)
    if is_roles:
        counts = Counter()  # a role's fate is known only here
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
    """All careers as one part, checked as in `joined_by_person`."""
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
    """Raise if no row has anything under ``history_key``."""
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
    """What there is where no history was found, and how often."""
    return Counter(
        detail for detail in content["quarantine"]["detail"].to_pylist() if ", but the keys " in detail
    )


def _warn(counts: Mapping[str, int]) -> None:
    """Say on stderr what was read otherwise than it was perhaps meant."""
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
