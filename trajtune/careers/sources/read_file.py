"""Read the needed columns of one file in blocks. An odd value affects only its own row.

Knows nothing of Ray. CSV is read as bytes and decoded value by value. JSON lines are split at line feeds.
"""

# R rows of a block

import codecs
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.fs
import pyarrow.parquet
from numpy.typing import NDArray

from trajtune.careers.nested_keys import json_text, json_value, value_at
from trajtune.careers.sources.column_names import choose_columns, column_of
from trajtune.careers.sources.encoding import Encoding, not_utf8, quiet_about_broken_text
from trajtune.careers.sources.find_files import compression
from trajtune.errors import SourceError
from trajtune.experiment.sources import CsvSettings, FileSource

FAULT: Final = "fault"
"""Column with the reason why a row cannot be read, else null."""
BLOCK_BYTES: Final = 8 << 20
"""Size of a block in bytes; a longer row of a CSV file is an error."""
PLACE: Final = b"trajtune_place"
"""Key of a block's metadata for the file or the range of its rows."""
SWALLOWED: Final = "swallowed"
"""Column of a CSV file with the line breaks in a field that a missing quote may have swallowed."""
_LONGEST_LINE: Final = 256 << 20


def csv_blocks(
    filesystem: pyarrow.fs.FileSystem, path: str, source: FileSource, label: str | None
) -> Iterator[pa.Table]:
    """Yield the rows of a CSV file in blocks, each column as text, with `FAULT` and `SWALLOWED`."""
    faulty: list[tuple[str, int]] = []

    def keep(row: Any) -> str:
        text = _row_text(row)
        faulty.append((f"{row.actual_columns} columns, not {row.expected_columns}: {text}", text.count("\n")))
        return "skip"

    encoding, num_rows, num_faulty, example = Encoding(path), 0, 0, ""
    with (
        quiet_about_broken_text(),
        _opened(filesystem, path) as stream,
        _csv_reader(stream, source.csv, keep) as reader,
    ):
        names = _names(reader, path)
        _require_columns(path, names)
        columns, paths = _chosen(path, source, names, label)
        places = {ours: names.index(theirs) for ours, theirs in columns.items()}
        for batch in reader:
            num_rows += len(batch)
            yield _follow(_decoded(batch.columns, places, encoding, source.csv.delimiter), paths)
            if faulty:
                num_faulty, example = num_faulty + len(faulty), faulty[0][0]
                yield _faulty_rows(faulty, places)
                faulty.clear()
    if faulty:
        num_faulty, example = num_faulty + len(faulty), faulty[0][0]
        yield _faulty_rows(faulty, places)
    if num_faulty > num_rows:
        raise SourceError(
            f"{path} is not a table: of {num_faulty + num_rows:,} rows {num_faulty:,} have another number of "
            f"columns than the first line, for example: Expected {len(names)} columns, got "
            f"{example.split(' ')[0]}. Fix the file, or `source.csv.delimiter`."
        )
    encoding.check()


def csv_names(filesystem: pyarrow.fs.FileSystem, path: str, settings: CsvSettings) -> list[str]:
    """Return the names of a CSV file's columns."""
    with (
        quiet_about_broken_text(),
        _opened(filesystem, path) as stream,
        _csv_reader(stream, settings, _skip) as reader,
    ):
        names = _names(reader, path)
    _require_columns(path, names)
    return names


def _require_columns(path: str, names: Sequence[str]) -> None:
    """Refuse a file if its first line has another delimiter."""
    marks = [mark for mark in ";\t|," if mark in names[0]]
    if len(names) == 1 and marks:
        raise SourceError(
            f"{path} has only one column, `{names[0][:80]}`. Set `source.csv.delimiter`, perhaps to "
            f"{marks[0]!r}."
        )


def line_blocks(filesystem: pyarrow.fs.FileSystem, path: str) -> Iterator[pa.Table]:
    """Yield the lines of a text file that are not blank, in blocks with one column ``line``."""
    encoding, remainder = Encoding(path), b""
    with _opened(filesystem, path) as stream:
        while chunk := stream.read(BLOCK_BYTES):
            if not remainder:
                chunk = chunk.removeprefix(codecs.BOM_UTF8)
            remainder += chunk
            cut = remainder.rfind(b"\n") + 1
            if cut:
                yield _lines(remainder[:cut], encoding)
                remainder = remainder[cut:]
            elif len(remainder) > _LONGEST_LINE:
                raise SourceError(
                    f"A line of {path} is longer than {_LONGEST_LINE >> 20} MiB. Write one object per line."
                )
    if remainder.strip():
        yield _lines(remainder + b"\n", encoding)
    encoding.check()


def parquet_blocks(
    filesystem: pyarrow.fs.FileSystem,
    path: str,
    source: FileSource,
    label: str | None,
    row_groups: Sequence[int] | None,
) -> Iterator[pa.Table]:
    """Yield the rows of some or all row groups of a Parquet file in blocks, with columns of any types."""
    with (
        filesystem.open_input_file(path) as stream,
        pyarrow.parquet.ParquetFile(stream, pre_buffer=True) as file,
    ):
        chosen, paths = _chosen(path, source, file.schema_arrow.names, label)
        wanted = list(row_groups if row_groups is not None else range(file.num_row_groups))
        size = sum(file.metadata.row_group(at).total_byte_size for at in wanted)
        rows = sum(file.metadata.row_group(at).num_rows for at in wanted)
        batch_size = max(1, min(rows, rows * 4 * BLOCK_BYTES // max(1, size)))
        columns = sorted(set(chosen.values()))
        for batch in file.iter_batches(batch_size, wanted, columns=columns, use_threads=False):
            yield _follow(pa.table({ours: batch.column(theirs) for ours, theirs in chosen.items()}), paths)


def _chosen(
    path: str, source: FileSource, names: Sequence[str], label: str | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the columns to read by internal name, and the path of keys in each column that has one."""
    chosen = choose_columns(path, source.layout, names, label)
    if chosen.get("end") == chosen.get("start"):
        chosen.pop("end", None)  # a range, which `role_rows` splits
    columns = {ours: column_of(name, names) for ours, name in chosen.items()}
    return columns, {ours: name.partition(".")[2] for ours, name in chosen.items() if name not in names}


def _follow(rows: pa.Table, paths: Mapping[str, str]) -> pa.Table:
    """Replace structs and JSON texts by the values at a path of keys in them."""
    for ours, path in paths.items():
        values = (value_at(json_value(value), path) for value in rows[ours].to_pylist())
        texts = [value if value is None or isinstance(value, str) else json_text(value) for value in values]
        clean = [None if text is None else text.encode("utf-8", "replace").decode() for text in texts]
        rows = rows.set_column(rows.column_names.index(ours), ours, pa.array(clean, pa.string()))
    return rows


def parquet_groups(filesystem: pyarrow.fs.FileSystem, path: str, most_bytes: int) -> list[list[int]]:
    """Return the row groups of a Parquet file in runs of at most about ``most_bytes``."""
    with filesystem.open_input_file(path) as stream:
        metadata = pyarrow.parquet.read_metadata(stream)
    runs: list[list[int]] = [[]]
    size = 0
    for at in range(metadata.num_row_groups):
        size += metadata.row_group(at).total_byte_size
        if runs[-1] and size > most_bytes:
            runs.append([])
            size = metadata.row_group(at).total_byte_size
        runs[-1].append(at)
    return runs


def _skip(row: Any) -> str:
    return "skip"


def _row_text(row: Any) -> str:
    try:
        return str(row.text)
    except UnicodeDecodeError:
        return "(not UTF-8)"


def _opened(filesystem: pyarrow.fs.FileSystem, path: str) -> pa.NativeFile:
    return filesystem.open_input_stream(path, compression=compression(path))


def _csv_reader(
    stream: pa.NativeFile, settings: CsvSettings, on_faulty: Callable[[Any], str]
) -> pyarrow.csv.CSVStreamingReader:
    read = pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES, encoding=settings.encoding, use_threads=False)
    parse = pyarrow.csv.ParseOptions(
        delimiter=settings.delimiter, newlines_in_values=True, invalid_row_handler=on_faulty
    )
    convert = pyarrow.csv.ConvertOptions(
        default_column_type=pa.binary(), null_values=[""], strings_can_be_null=True
    )
    return pyarrow.csv.open_csv(stream, read, parse, convert)


def _names(reader: pyarrow.csv.CSVStreamingReader, path: str) -> list[str]:
    try:
        return list(reader.schema.names)
    except UnicodeDecodeError as error:
        raise not_utf8(path, " (its first line)") from error


def _decoded(
    columns: Sequence[pa.Array], places: Mapping[str, int], encoding: Encoding, delimiter: str
) -> pa.Table:
    """Return the chosen columns as text, with `FAULT` for broken UTF-8 and swallowed lines."""
    count = len(columns[0])
    faults = np.full(count, None, object)
    swallowed = np.zeros(count, np.int32)
    texts = {}
    is_foreign, is_broken = np.zeros(count, bool), np.zeros(count, bool)
    for at, column in enumerate(columns):
        if at != places.get("history"):  # JSON may contain line breaks, and broken JSON is refused later
            _note_swallowed(column, at, len(columns), delimiter, swallowed)
        if at in places.values():
            text, broken = decoded(column)
            is_broken |= broken
            is_foreign |= _is_foreign(column) & ~broken
            texts[at] = text
            for row in np.flatnonzero(broken).tolist():
                faults[row] = f"not UTF-8: {text[row].as_py()}"
    encoding.count(is_broken, is_foreign, faults)
    for row in np.flatnonzero(swallowed).tolist():
        faults[row] = f"{swallowed[row]} line breaks in one field: a quote may be missing"
    table = {ours: texts[at] for ours, at in places.items()}
    return pa.table(table | {FAULT: pa.array(faults, pa.string()), SWALLOWED: pa.array(swallowed)})


def _note_swallowed(
    column: pa.Array, at: int, num_columns: int, delimiter: str, swallowed: NDArray[np.int32]
) -> None:
    """Count the line breaks of values that look like several rows, by the number of delimiters."""
    has_break = pc.match_substring(column, "\n")
    if not pc.any(has_break).as_py():
        return
    # The pattern is the end of one row, rows in between, and the beginning of another.
    mark = re.escape(delimiter)
    cell = rf"[^\n{mark}]*"
    pattern = (
        rf"(?s)^(?:{cell}{mark}){{{num_columns - 1 - at}}}{cell}\n(?:.*\n)?(?:{cell}{mark}){{{at}}}{cell}$"
    )
    rows = np.flatnonzero(has_break.fill_null(False).to_numpy(zero_copy_only=False))
    values = column.take(pa.array(rows))
    hit = pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)
    breaks = pc.count_substring(values, "\n").to_numpy(zero_copy_only=False)
    swallowed[rows[hit]] = np.maximum(swallowed[rows[hit]], breaks[hit])


def _faulty_rows(faulty: Sequence[tuple[str, int]], places: Mapping[str, int]) -> pa.Table:
    """Return rows with only a fault and the number of line breaks in them."""
    faults, breaks = zip(*faulty, strict=True)
    nulls = pa.nulls(len(faulty), pa.string())
    table = dict.fromkeys(places, nulls)
    return pa.table(table | {FAULT: pa.array(faults, pa.string()), SWALLOWED: pa.array(breaks, pa.int32())})


def _lines(content: bytes, encoding: Encoding) -> pa.Table:
    """Return complete lines as a column. Lines that are not UTF-8 get escapes, which are invalid JSON."""
    data = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(data == ord("\n")) + 1
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    lines = pa.Array.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    )
    lines = lines.filter(pc.match_substring_regex(lines, r"[^ \t\r\n]"))
    text, broken = decoded(lines)
    encoding.count(broken, _is_foreign(lines) & ~broken, text)
    return pa.table({"line": text})


def decoded(column: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return bytes or strings as strings, with escapes if they are not UTF-8, and which are not UTF-8."""
    try:
        text = column if pa.types.is_string(column.type) else column.cast(pa.string())
        text.validate(full=True)
        return text, np.zeros(len(column), bool)
    except pa.ArrowInvalid:
        values = column.cast(pa.large_binary()).to_pylist()
    broken = np.zeros(len(values), bool)
    texts = []
    for at, value in enumerate(values):
        try:
            texts.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            broken[at] = True
            texts.append(value.decode("utf-8", "backslashreplace"))
    return pa.array(texts, pa.string()), broken


def _is_foreign(column: pa.Array) -> NDArray[np.bool_]:
    """Return bool ``[R]``: values with non-ASCII letters."""
    content = column.buffers()[2]
    if content is None or not (np.frombuffer(content, np.uint8) >= 128).any():
        return np.zeros(len(column), bool)
    found = pc.match_substring_regex(column.cast(pa.binary()), r"(?s)[\x80-\xff]")
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False))
