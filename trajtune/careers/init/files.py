"""Inspect files: their columns or keys, and a sample of their rows."""

import gzip
import io
import json
import os.path
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.fs
import pyarrow.parquet

from trajtune.careers.init.keys import as_text, flat_values
from trajtune.careers.init.table import MAX_ROWS, Row, Table
from trajtune.careers.init.usual_names import NOT_A_WORD, name_rank
from trajtune.careers.sources.find_files import find_files
from trajtune.careers.sources.json_documents import documents, holds_documents
from trajtune.errors import SourceError
from trajtune.experiment.sources import FileSource
from trajtune.storage.object_store import explain

_KINDS: Final = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
_MAX_FILES: Final = 50
"""Maximum number of files of each kind to inspect, spread over all of them."""
_MAX_NAMES: Final = 50
_MAX_BYTES: Final = 64 << 20
"""Maximum number of bytes of a text file to inspect."""

_Object = Mapping[str, Any]


def sample_files(path: str) -> Iterator[tuple[Table, list[Row] | str]]:
    """Yield the rows of files, by kind of file and by array in JSON documents.

    Args:
        path: A file, a directory or a glob.

    Yields:
        The columns, with rows as text; or the reason why they cannot be read.

    Raises:
        SourceError: If there is no such file.
    """
    for kind, filesystem, files in _files_by_kind(path):
        yield from _sample(path, kind, filesystem, files)


def _sample(
    path: str, kind: str, filesystem: pyarrow.fs.FileSystem, files: Sequence[str]
) -> Iterator[tuple[Table, list[Row] | str]]:
    base = {"kind": kind, "path": path}
    spread = _spread(files, _MAX_FILES)
    each = max(1, -(-MAX_ROWS // len(spread)))
    try:
        read = [_objects(filesystem, file, kind, each) for file in spread]
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError, SourceError) as error:
        yield _without_rows(base), explain(str(error))
        return
    if not _are_alike(read):
        by_name: dict[str, list[str]] = defaultdict(list)
        for file in files:
            by_name[os.path.basename(file)].append(file)
        if len(by_name) == 1 or "*" in path:
            yield _without_rows(base), "its files have different columns"
            return
        for name, named in islice(by_name.items(), _MAX_NAMES):
            yield from _sample(f"{path.rstrip('/')}/**/{name}", kind, filesystem, named)
        return
    objects = [row for rows in read for row in rows]
    one_each = kind == "csv" or (kind == "json" and all(len(rows) == 1 for rows in read))
    yield _as_table(base, path, objects, is_one_person_a_file=one_each and len(files) > 1)
    for key in _arrays(objects) if kind == "json" and len(objects) == len(read) else ():
        rows = [row for content in objects for row in content.get(key) or () if isinstance(row, dict)]
        within = {**base, "rows_key": key}
        yield _as_table(within, f"{path}: {key}", _spread(rows, MAX_ROWS), is_one_person_a_file=False)


def _without_rows(base: Mapping[str, str]) -> Table:
    return Table(base, base["path"], None, {}, frozenset(), frozenset())


def _are_alike(read: Sequence[Sequence[_Object]]) -> bool:
    """Return whether files share at least half of their columns or keys."""
    keys = [{key for row in rows for key in row} for rows in read if rows]
    common, every = set.intersection(*keys) if keys else set(), set().union(*keys)
    return 2 * len(common) >= len(every)


def _files_by_kind(path: str) -> Iterator[tuple[str, pyarrow.fs.FileSystem, list[str]]]:
    suffix = os.path.splitext(path.removesuffix(".gz"))[1].lower()
    is_found = False
    for kind in [_KINDS[suffix]] if suffix in _KINDS else ["csv", "json", "jsonl", "parquet"]:
        try:
            found = find_files(FileSource.model_validate({"kind": kind, "path": path}))
        except SourceError as error:
            if suffix not in _KINDS and ("no file" in str(error) or "empty" in str(error)):
                continue
            raise
        filesystem, files = found.filesystem, found.paths
        if suffix not in _KINDS:
            files = [file for file in files if _KINDS.get(os.path.splitext(file)[1].lower()) == kind]
        if files:
            is_found = True
            yield _kind_of_json(kind, filesystem, files[0]), filesystem, files
    if not is_found:
        raise SourceError(
            f"There is no CSV, JSON, JSON lines or Parquet file at {path}. Give a file, a directory or "
            "a glob."
        )


def _kind_of_json(kind: str, filesystem: pyarrow.fs.FileSystem, file: str) -> str:
    """Detect the kind of a JSON file from its content, not from its name."""
    if kind not in ("json", "jsonl"):
        return kind
    if holds_documents(filesystem, file):
        return "json"
    return kind if kind == "jsonl" or _num_lines(filesystem, file) < 2 else "jsonl"


def _num_lines(filesystem: pyarrow.fs.FileSystem, file: str) -> int:
    return sum(1 for line in islice(_text(filesystem, file), 3) if line.strip())


def _text(filesystem: pyarrow.fs.FileSystem, file: str) -> io.TextIOBase:
    with filesystem.open_input_stream(file, compression=None) as stream:
        content = stream.read(_MAX_BYTES)
    if file.endswith(".gz"):
        content = gzip.decompress(content)
    return io.StringIO(content.decode("utf-8-sig", "replace" if len(content) == _MAX_BYTES else "strict"))


def _objects(filesystem: pyarrow.fs.FileSystem, file: str, kind: str, most: int) -> list[_Object]:
    """Return a limited number of rows, spread evenly over the part of the file that is read."""
    if kind == "parquet":
        return _parquet_rows(filesystem, file, most)
    if kind == "csv":
        with filesystem.open_input_stream(file) as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                pyarrow.csv.ReadOptions(block_size=8 << 20),
                pyarrow.csv.ParseOptions(newlines_in_values=True),
                pyarrow.csv.ConvertOptions(
                    null_values=[""], strings_can_be_null=True, auto_dict_encode=False
                ),
            )
            names = reader.schema.names
        with filesystem.open_input_stream(file) as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                pyarrow.csv.ReadOptions(block_size=8 << 20),
                pyarrow.csv.ParseOptions(newlines_in_values=True),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
                ),
            )
            batches = list(islice(reader, _MAX_BYTES // (8 << 20)))
        table = pa.Table.from_batches(batches, schema=reader.schema)
        return list(table.take(pa.array(_spread(range(len(table)), most), pa.int64())).to_pylist())
    if kind == "json":
        values = _documents(_text(filesystem, file).read(), file)
    else:
        values = [
            _line(line) for line in _spread([line for line in _text(filesystem, file) if line.strip()], most)
        ]
    return [value for value in _spread(values, most) if isinstance(value, dict)]


def _documents(content: str, file: str) -> list[Any]:
    values: list[Any] = []
    try:
        for text in documents(content, file):
            values.append(_line(text))
    except SourceError:
        if len(content.encode()) < _MAX_BYTES:
            raise  # otherwise the document is cut off because the rest was not read
    return values


def _line(line: str) -> Any:
    try:
        return json.loads(line, strict=False)
    except (ValueError, RecursionError):
        return None


def _parquet_rows(filesystem: pyarrow.fs.FileSystem, file: str, most: int) -> list[_Object]:
    with filesystem.open_input_file(file) as opened:
        parquet = pyarrow.parquet.ParquetFile(opened)
        groups = _spread(range(parquet.num_row_groups), 4)
        each = -(-most // max(1, len(groups)))
        tables = [parquet.read_row_group(group).slice(0, 100_000) for group in groups]
    rows = [
        row
        for table in tables
        for row in _spread(range(len(table)), each)
        for row in table.slice(row, 1).to_pylist()
    ]
    return [
        {key: value if isinstance(value, dict | list) else _plain(value) for key, value in row.items()}
        for row in rows
    ]


def _plain(value: Any) -> str | None:
    return None if value is None else str(value)


def _arrays(objects: Sequence[_Object]) -> list[str]:
    """Return the keys of arrays of objects in documents."""
    return sorted(
        {
            key
            for content in objects
            for key, value in content.items()
            if isinstance(value, list) and any(isinstance(row, dict) for row in value)
        }
    )


def _as_table(
    base: Mapping[str, str], name: str, objects: Sequence[_Object], *, is_one_person_a_file: bool
) -> tuple[Table, list[Row]]:
    """Return objects as rows of text, with nested values under names with dots."""
    objects = [json.loads(json.dumps(content, default=str)) for content in objects]
    nested = {key for content in objects for key, value in content.items() if isinstance(value, dict | list)}
    texts = flat_values(
        [{k: v for k, v in content.items() if not isinstance(v, list)} for content in objects]
    )
    # A list in an object is found from the key above it.
    columns = {
        key: values
        for key, values in texts.items()
        if "." not in key or (base["kind"] != "parquet" and not _looks_like_json(values, "["))
    }
    columns |= {key: [as_text(content.get(key)) for content in objects] for key in sorted(nested)}
    is_json = {key for key, values in columns.items() if key in nested or _looks_like_json(values)}
    types = {key: "json" if key in is_json else "text" for key in columns}
    unique = {
        key
        for key, values in columns.items()
        if key not in is_json
        and len(values) > 1
        and None not in values
        and len(set(values)) == len(values)
        # A sample of many people's roles may contain each person only once.
        and name_rank("id", key) == NOT_A_WORD
    }
    rows: list[Row] = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return Table(base, name, None, types, frozenset(unique), frozenset(), is_one_person_a_file), rows


def _looks_like_json(values: Sequence[str | None], *marks: str) -> bool:
    filled = [value for value in values if value]
    return bool(filled) and all(value.lstrip().startswith(marks or ("[", "{")) for value in filled)


def _spread(values: Sequence[Any], most: int) -> list[Any]:
    """Return a limited number of values, evenly spread over all of them."""
    if len(values) <= most:
        return list(values)
    return [values[len(values) * at // most] for at in range(most)]
