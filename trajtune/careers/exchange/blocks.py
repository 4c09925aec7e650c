"""Parsed blocks, the results of reading tasks: people in buckets, and a head with counts.

A block is a table with one row for each bucket that occurs in it, and one row for the head.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.assembly import Part
from trajtune.careers.career_rows import career_part
from trajtune.careers.exchange.by_person import BUCKETS, buckets_of, packed, unpacked
from trajtune.careers.exchange.faults import NO_FAULTS, Faults
from trajtune.careers.role_rows import role_block
from trajtune.careers.schema import CAREERS, QUARANTINE
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import JsonHistory, RoleRows

_HEAD: Final = -1
_TALLY: Final = "tally "
_BLOCK: Final = pa.schema(
    [
        pa.field("bucket", pa.int32()),  # or _HEAD
        pa.field("content", pa.large_binary()),  # in the head: the quarantine; null if there is none yet
        pa.field("about", pa.string()),  # in the head: its counts as JSON, or the error
        pa.field("is_error", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Head:
    """The summary of a block that the driver process receives.

    Attributes:
        counts: Counts as in `LoadedCareers`; for a block of roles only ``rows_in``.
        faults: Summary of the block's quarantine.
        error: Reason why the block cannot be read; None if it can.
    """

    counts: dict[str, int]
    faults: Faults
    error: str | None = None


def career_block(rows: pa.Table, layout: JsonHistory, settings: DataSettings, today: date) -> pa.Table:
    """Parse rows that are careers into a block."""
    part = career_part(rows, layout, settings, today)
    table = part.careers
    for name in part.tallies.column_names:
        table = table.append_column(f"{_TALLY}{name}", part.tallies[name])
    head = (_HEAD, packed(part.quarantine), json.dumps(part.counts), False)
    return _block([head, *_in_buckets(table, buckets_of(table["candidate_id"]))])


def roles_block(rows: pa.Table, layout: RoleRows, settings: DataSettings, today: date) -> pa.Table:
    """Parse rows that are roles into a block. Rows without an id go to the first bucket."""
    roles = role_block(rows, layout, settings, today)
    head = (_HEAD, None, json.dumps({"rows_in": len(roles)}), False)
    return _block([head, *_in_buckets(roles, buckets_of(roles["id"]))])


def error_block(message: str) -> pa.Table:
    """Return a block for rows that cannot be read."""
    return _block([(_HEAD, None, message, True)])


def _block(rows: Sequence[tuple[int, pa.Buffer | None, str | None, bool]]) -> pa.Table:
    buckets, contents, about, is_error = zip(*rows, strict=True)
    sizes = [len(content or b"") for content in contents]
    is_null = np.array([content is None for content in contents])
    column = pa.Array.from_buffers(
        pa.large_binary(),
        len(rows),
        [
            pa.array(~is_null).buffers()[1],
            pa.py_buffer(np.cumsum([0, *sizes]).astype(np.int64)),
            pa.py_buffer(b"".join(content for content in contents if content is not None)),
        ],
    )
    return pa.table([pa.array(buckets, pa.int32()), column, pa.array(about, pa.string()), is_error], _BLOCK)


def _in_buckets(table: pa.Table, buckets: NDArray[np.int64]) -> Iterator[tuple[int, pa.Buffer, None, bool]]:
    """Yield the compressed rows of each bucket that occurs."""
    order = np.argsort(buckets, kind="stable")
    ordered = table.take(pa.array(order)).combine_chunks()
    ends = np.cumsum(np.bincount(buckets, minlength=BUCKETS))
    for bucket, (start, end) in enumerate(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)):
        if end > start:
            yield bucket, packed(ordered.slice(start, end - start)), None, False


def head_of(block: pa.Table) -> Head:
    """Return the head of a block. For a block without rows it is empty."""
    for row in range(len(block)):
        if block["bucket"][row].as_py() == _HEAD:
            about = block["about"][row].as_py()
            if block["is_error"][row].as_py():
                return Head({}, NO_FAULTS, about)
            return Head(json.loads(about), Faults.of(quarantine_of(block)))
    return Head({}, NO_FAULTS)


def quarantine_of(block: pa.Table) -> pa.Table:
    """Return the entries of a block's quarantine."""
    found = [content for bucket, content in _contents(block) if bucket == _HEAD]
    return found[0] if found else QUARANTINE.empty_table()


def tables_of(blocks: Sequence[pa.Table], first: int, end: int) -> list[pa.Table]:
    """Return the tables of all blocks in the buckets from ``first`` to ``end`` (exclusive)."""
    return [content for block in blocks for content in (c for b, c in _contents(block, first, end))]


def part_of(table: pa.Table) -> Part:
    """Return the careers of a bucket of `career_block`, without counts, which are in the head."""
    names = [name for name in table.column_names if name.startswith(_TALLY)]
    tallies = table.select(names).rename_columns([name.removeprefix(_TALLY) for name in names])
    return Part(table.select(CAREERS.names), QUARANTINE.empty_table(), {}, tallies)


def _contents(block: pa.Table, first: int = _HEAD, end: int = 0) -> Iterator[tuple[int, Any]]:
    """Yield each bucket from ``first`` to ``end`` (exclusive) that has content, with its table."""
    if not len(block):
        return
    buckets = block["bucket"].to_numpy()
    for row in np.flatnonzero((buckets >= first) & (buckets < end)).tolist():
        content = block["content"][row]
        if content.is_valid:
            yield int(buckets[row]), unpacked(content.as_buffer())
