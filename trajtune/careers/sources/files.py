"""Read career files through Ray Data's own readers: CSV, Parquet, JSON lines; local or s3://."""

import fnmatch
import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.fs
import pyarrow.parquet

from trajtune.careers.nested_keys import json_text, json_value, value_at
from trajtune.careers.sources.column_names import choose_columns, column_of
from trajtune.careers.sources.json_documents import below, common_directory, holds_documents, read_documents
from trajtune.errors import SourceError
from trajtune.experiment.sources import FileSource
from trajtune.storage.object_store import explain, open_uri, require_bucket

if TYPE_CHECKING:
    from ray.data import Dataset

_LONGEST_ROW: Final = 8 << 20
"""Bytes; a longer row of a text file is an error."""
_EXTENSIONS: Final = {
    "csv": (".csv",),
    "parquet": (".parquet", ".pq"),
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "json": (".json",),
}


def open_files(source: FileSource, label: str | None) -> "Dataset":
    """The rows of the files, lazily.

    Columns are called ``id`` and ``history``, or ``id``, ``title``, ``start``, ``end``, ``current``; and
    ``label``. JSON lines are one column ``line``, which `json_history.read_lines` parses.

    Raises:
        SourceError: If there is no such file or column, or the first file cannot be read.
    """
    import ray

    filesystem, paths = find_files(source)
    is_file_a_person = source.layout.id_column is None
    if source.kind == "json" or (
        source.kind == "jsonl"
        and (is_file_a_person or source.rows_key or holds_documents(filesystem, paths[0]))
    ):
        return read_documents(paths, filesystem, source.rows_key, is_file_a_person=is_file_a_person)
    if source.kind == "jsonl":
        # `read_text` would load complete files, and break lines at characters that JSON strings may hold.
        one_column = pyarrow.csv.ParseOptions(delimiter="\x01", quote_char=False)
        return _read_csv(paths, filesystem, ["line"], one_column, column_names=["line"])
    try:
        available = _columns_of(source, filesystem, paths[0])
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"Cannot read {paths[0]} as {source.kind}: {explain(str(error))}.") from error
    chosen = choose_columns(source.path, source.layout, available, label)
    if chosen.get("end") == chosen.get("start"):
        chosen.pop("end", None)  # a range, which `role_rows` reads once
    theirs = list(dict.fromkeys(column_of(name, available) for name in chosen.values()))
    if source.kind == "parquet":
        rows = ray.data.read_parquet(
            paths,
            filesystem=filesystem,
            columns=theirs,
            file_extensions=None,
            include_paths=is_file_a_person,
        )
    else:
        csv = pyarrow.csv.ParseOptions(newlines_in_values=True)
        rows = _read_csv(paths, filesystem, theirs, csv, include_paths=is_file_a_person)
    if is_file_a_person:
        base = common_directory(paths)
        rows = rows.map_batches(partial(_with_file_ids, base=base), batch_format="pyarrow", batch_size=None)
    paths_into = {ours: name for ours, name in chosen.items() if name not in available}
    if paths_into:
        rows = rows.map_batches(
            partial(_with_paths_into, names=paths_into), batch_format="pyarrow", batch_size=None
        )
    renamed = {name: ours for ours, name in chosen.items() if name != ours and ours not in paths_into}
    return rows.rename_columns(renamed) if renamed else rows


def _with_paths_into(rows: pa.Table, names: dict[str, str]) -> pa.Table:
    """Rows with the values that lie within structs, or within JSON text, as columns of text.

    Args:
        rows: The columns as they were read.
        names: For each new column, its path of keys; the first is a column.
    """
    columns = {}
    for ours, name in names.items():
        column, _, path = name.partition(".")
        values = (value_at(json_value(value), path) for value in rows[column].to_pylist())
        texts = [value if value is None or isinstance(value, str) else json_text(value) for value in values]
        columns[ours] = pa.array(texts, pa.string())
    others = rows.drop_columns([ours for ours in columns if ours in rows.column_names])
    for ours, column in columns.items():
        others = others.append_column(ours, column)
    return others


def _with_file_ids(rows: pa.Table, base: str) -> pa.Table:
    """Rows with the path of their file below ``base`` as ``id``."""
    paths = pa.array([below(path, base) for path in rows["path"].to_pylist()], pa.string())
    return rows.drop_columns("path").append_column("id", paths)


def _read_csv(
    paths: list[str],
    filesystem: pyarrow.fs.FileSystem,
    columns: list[str],
    parse_options: pyarrow.csv.ParseOptions,
    column_names: list[str] | None = None,
    include_paths: bool = False,
) -> "Dataset":
    import ray

    return ray.data.read_csv(
        paths,
        filesystem=filesystem,
        file_extensions=None,
        partitioning=None,
        include_paths=include_paths,
        read_options=pyarrow.csv.ReadOptions(column_names=column_names, block_size=_LONGEST_ROW),
        parse_options=parse_options,
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def find_files(source: FileSource) -> tuple[pyarrow.fs.FileSystem, list[str]]:
    """The files that a path, a directory or a glob names, sorted.

    Raises:
        SourceError: If there is none.
    """
    path = source.path
    try:
        if "://" in path:
            filesystem, path = open_uri(path)
        else:
            # Ray's workers have another working directory.
            filesystem, path = pyarrow.fs.LocalFileSystem(), os.path.abspath(path)
        files = _expand(filesystem, path, _EXTENSIONS[source.kind])
        if not files:
            require_bucket(filesystem, path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"Cannot look into {source.path}: {explain(str(error))}.") from error
    if not files:
        raise SourceError(
            f"There is no file {source.path}. Give a file, a directory or a glob as `source.path`."
        )
    filled = sorted(info.path for info in files if info.size)  # of many files some may be empty
    if not filled:
        raise SourceError(f"{source.path} is empty and holds no row. Name another source.")
    return filesystem, filled


def _expand(
    filesystem: pyarrow.fs.FileSystem, path: str, extensions: Sequence[str]
) -> list[pyarrow.fs.FileInfo]:
    if any(mark in path for mark in "*?["):
        base = path[: min(path.find(mark) for mark in "*?[" if mark in path)].rpartition("/")[0] or "."
        selector = pyarrow.fs.FileSelector(base, recursive=True, allow_not_found=True)
        pattern = path if base != "." or path.startswith("./") else f"./{path}"
        infos = filesystem.get_file_info(selector)
        parts = pattern.split("/")
        return [info for info in infos if info.is_file and _matches(info.path.split("/"), parts)]
    info = filesystem.get_file_info(path)
    if info.type == pyarrow.fs.FileType.Directory:
        infos = filesystem.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
        return [info for info in infos if info.is_file and info.path.endswith(tuple(extensions))]
    return [info] if info.is_file else []


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a glob, both split at slashes: ``**`` is any number of parts."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_matches(path[at:], pattern[1:]) for at in range(len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


def _columns_of(source: FileSource, filesystem: pyarrow.fs.FileSystem, path: str) -> list[str]:
    if source.kind == "parquet":
        with filesystem.open_input_file(path) as file:
            return list(pyarrow.parquet.read_schema(file).names)
    with filesystem.open_input_stream(path) as stream, pyarrow.csv.open_csv(stream) as reader:
        return list(reader.schema.names)
