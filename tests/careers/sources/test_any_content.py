"""A fuzzer: any content of a file gives careers with balanced counts, or an error of one line."""

import io
import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.careers.parts import TODAY, assert_balanced
from trajtune.careers.assembly import Part
from trajtune.careers.career_rows import career_part, join_parts
from trajtune.careers.role_rows import join_roles, role_block
from trajtune.careers.sources.files import FileReader
from trajtune.careers.sources.read_file import csv_blocks, line_blocks, parquet_blocks
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import FileSource, JsonHistory, RoleRows

pytestmark = pytest.mark.slow

DATA = DataSettings(max_quarantine_fraction=1)
NAMES = ("candidate_id", "title", "start_date", "end_date", "is_current")
# Content is small enough to read, and shrinking would delay a failure by minutes.
thorough = settings(max_examples=300, deadline=None, phases=[Phase.explicit, Phase.generate])

WORDS = st.sampled_from(
    ["A", "2001", "2003-05", "now", "", "NULL", "true", "x\ny", "é", "[", "{", '"', ",", "03/04/2001"]
)
SCALARS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): WORDS | st.text(max_size=4),
    pa.large_string(): WORDS,
    pa.binary(): st.binary(max_size=4),
    pa.binary(16): st.binary(min_size=16, max_size=16),
    pa.float64(): st.floats() | st.sampled_from([2001.0, 1e300, float("nan")]),
    pa.float32(): st.floats(width=32),
    pa.float16(): st.sampled_from([np.float16(1.5), np.float16("nan"), np.float16("inf")]),
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.integers(1990, 2030),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.timestamp("s"): st.integers(-(2**62), 2**62),
    pa.timestamp("ns", "Europe/Berlin"): st.integers(-(2**62), 2**62),
    pa.duration("us"): st.integers(-(2**62), 2**62),
    pa.time64("us"): st.integers(0, 86_399_999_999),
    pa.decimal128(20, 3): st.decimals(-9999, 9999, places=3),
    pa.month_day_nano_interval(): st.just(pa.MonthDayNano([1, 2, 3])),
    pa.null(): st.none(),
}  # fmt: skip


@st.composite
def columns(draw: st.DrawFn, count: int, depth: int = 2) -> pa.Array:
    """Generate Arrow arrays of any type."""
    forms = ["scalar"] * 3 + (["list", "struct", "map", "dictionary", "fixed"] if depth else [])
    form = draw(st.sampled_from(forms))
    if form == "scalar":
        kind = draw(st.sampled_from(list(SCALARS)))
        values = draw(st.lists(st.none() | SCALARS[kind], min_size=count, max_size=count))
        if (
            pa.types.is_temporal(kind)
            and not pa.types.is_date(kind)
            and values
            and not pa.types.is_interval(kind)
        ):
            return pa.array(values, pa.int64()).cast(kind)
        return pa.array(values, kind)
    if form == "dictionary":
        return pa.array(
            draw(st.lists(st.none() | WORDS, min_size=count, max_size=count)), pa.string()
        ).dictionary_encode()
    if form == "struct":
        names = draw(st.lists(st.sampled_from([*NAMES, "year", "name"]), min_size=1, max_size=4, unique=True))
        return pa.StructArray.from_arrays([draw(columns(count, depth - 1)) for _ in names], names)
    if form == "fixed":
        return pa.FixedSizeListArray.from_arrays(draw(columns(2 * count, depth - 1)), 2)
    lengths = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    offsets = pa.array([0, *np.cumsum(lengths).tolist()], pa.int32())
    size = sum(lengths)
    if form == "list":
        return pa.ListArray.from_arrays(offsets, draw(columns(size, depth - 1)))
    keys = pa.array(draw(st.lists(WORDS, min_size=size, max_size=size)), pa.string())
    return pa.MapArray.from_arrays(offsets, keys, draw(columns(size, depth - 1)))


def account(blocks: Iterable[pa.Table], layout: JsonHistory | RoleRows, count: int | None) -> Part:
    """Return the careers of some blocks, and check that their counts balance."""
    if isinstance(layout, RoleRows):
        part = join_roles([role_block(block, layout, DATA, TODAY) for block in blocks], DATA)
    else:
        parts = [career_part(block, layout, DATA, TODAY) for block in blocks]
        empty = [career_part(pa.table({"id": pa.nulls(0), "history": pa.nulls(0)}), layout, DATA, TODAY)]
        part = join_parts(parts or empty)
    assert_balanced(part)
    assert count is None or part.counts["rows_in"] == count
    return part


@thorough
@given(st.data(), st.integers(1, 4))
def test_role_rows_of_any_types_are_accounted_for(data: st.DataObject, count: int) -> None:
    names = ("id", "title", "start", "end", "current", "label")
    table = pa.table({name: data.draw(columns(count)) for name in names})
    account([table], RoleRows(), count)
    singles = account([table.slice(at, 1) for at in range(count)], RoleRows(), count)
    assert singles.counts == account([table], RoleRows(), count).counts


@thorough
@given(st.data(), st.integers(1, 4))
def test_histories_of_any_types_are_accounted_for(data: st.DataObject, count: int) -> None:
    table = pa.table({"id": data.draw(columns(count)), "history": data.draw(columns(count, 3))})
    account([table], JsonHistory(), count)
    account([table.slice(at, 1) for at in range(count)], JsonHistory(), count)


def in_memory(content: bytes, name: str) -> pyarrow.fs.FileSystem:
    filesystem, _ = pyarrow.fs.FileSystem.from_uri("mock://")
    with filesystem.open_output_stream(name) as stream:
        stream.write(content)
    return filesystem


def read_or_one_line(
    blocks: Any, kind: str, layout: JsonHistory | RoleRows, count: int | None = None
) -> None:
    message = None
    try:
        account(list(FileReader("x", kind, blocks)()), layout, count)
    except SourceError as error:
        message = str(error)
    assert message is None or (
        "\n" not in message and "foresee" not in message and "unexpected" not in message
    )


LAYOUTS: tuple[JsonHistory | RoleRows, ...] = (
    RoleRows(),
    JsonHistory(),
    JsonHistory(history_key="profile.jobs"),
)
CELLS = (
    WORDS.map(str.encode)
    | st.binary(max_size=5)
    | st.sampled_from([b'"A\nB"', b'"', b"\xe4", b"\x00", b"\r"])
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=6).map(b",".join), max_size=8).map(b"\n".join)


@thorough
@given(ROWS | st.binary(max_size=60), st.booleans(), st.sampled_from(LAYOUTS[:2]))
def test_a_csv_file_of_any_bytes_is_accounted_for_or_one_line(
    content: bytes, has_header: bool, layout: JsonHistory | RoleRows
) -> None:
    names = NAMES if isinstance(layout, RoleRows) else ("id", "work_history")
    content = (",".join(names) + "\n").encode() * has_header + content
    source = FileSource(kind="csv", path="x", layout=layout)

    def blocks() -> Iterator[pa.Table]:
        return csv_blocks(in_memory(content, "x.csv"), "x.csv", source, None)

    read_or_one_line(blocks, "csv", layout)


KEYS = st.sampled_from([*NAMES, "id", "work_history", "jobs", "profile"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
LINE = (
    JSON.map(json.dumps).map(str.encode)
    | st.binary(max_size=20)
    | st.sampled_from([b"[" * 990, b"{}\x01", b"\xe4"])
)


@thorough
@given(st.lists(LINE, max_size=8), st.sampled_from(LAYOUTS))
def test_json_lines_of_any_bytes_are_accounted_for_or_one_line(
    lines: list[bytes], layout: JsonHistory | RoleRows
) -> None:
    content = b"\n".join(lines)
    count = sum(1 for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip(b" \t\r\n"))
    read_or_one_line(lambda: line_blocks(in_memory(content, "x.jsonl"), "x.jsonl"), "jsonl", layout, count)


@thorough
@given(st.binary(max_size=40), st.integers(0, 4000), st.integers(0, 255))
def test_a_damaged_parquet_file_is_read_or_one_line(content: bytes, at: int, byte: int) -> None:
    table = pa.table({name: ["A", "2001", str(date(2001, 1, 1))] for name in NAMES})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    damaged = bytearray(sink.getvalue())
    damaged[at % len(damaged)] = byte
    source = FileSource(kind="parquet", path="x")
    for each in (content, bytes(damaged)):
        filesystem = in_memory(each, "x.parquet")
        read_or_one_line(
            lambda filesystem=filesystem: parquet_blocks(filesystem, "x.parquet", source, None, None),
            "parquet",
            RoleRows(),
        )
