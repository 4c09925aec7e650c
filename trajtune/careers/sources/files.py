"""Career files as a Ray Data source, with one read task per file or part of a large Parquet file."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from trajtune.careers.sources.column_names import choose_columns
from trajtune.careers.sources.encoding import not_utf8
from trajtune.careers.sources.find_files import Files, find_files
from trajtune.careers.sources.json_documents import below, common_directory, document_blocks, holds_documents
from trajtune.careers.sources.read_file import (
    PLACE,
    csv_blocks,
    csv_names,
    line_blocks,
    parquet_blocks,
    parquet_groups,
)
from trajtune.errors import SourceError
from trajtune.experiment.sources import FileSource
from trajtune.storage.object_store import explain

if TYPE_CHECKING:
    from ray.data import Dataset

_TASK_BYTES: Final = 64 << 20
"""Several tasks read a larger Parquet file."""
_MAX_NAMES: Final = 5


def open_files(source: FileSource, label: str | None) -> "Dataset":
    """Return the rows of the files, lazily.

    The columns are ``id`` and ``history``, or ``id``, ``title``, ``start``, ``end`` and ``current``; and
    ``label``. JSON lines have one column ``line``, which `json_history.read_lines` parses. CSV files also
    have `read_file.FAULT` and `read_file.SWALLOWED`.

    Raises:
        SourceError: If there is no such file or column, or the first file cannot be read.
    """
    import ray

    files = find_files(source)
    if files.passed_over:
        others = len(files.passed_over) - _MAX_NAMES
        more = f" and {others:,} more" if others > 0 else ""
        shown = ", ".join(files.passed_over[:_MAX_NAMES])
        print(f"Note: in {source.path} these files are not read: {shown}{more}", file=sys.stderr)
    _check_first(files, source, label)
    rows = FileRows(_tasks(files, source, label), sum(files.sizes))
    return ray.data.read_datasource(rows, override_num_blocks=len(rows.readers))


class FileRows(Datasource):  # type: ignore[misc]
    """Rows of files, with one reader per file or part."""

    def __init__(self, readers: Sequence["FileReader"], num_bytes: int) -> None:
        super().__init__()
        self.readers = readers
        self._num_bytes = num_bytes

    def estimate_inmemory_data_size(self) -> int:
        """Return the approximate number of bytes."""
        return self._num_bytes

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """Return one task per reader, whatever ``parallelism`` is."""
        size = self._num_bytes // len(self.readers)
        metadata = BlockMetadata(num_rows=None, size_bytes=size, exec_stats=None, input_files=None)
        return [ReadTask(reader, metadata, per_task_row_limit=per_task_row_limit) for reader in self.readers]


@dataclass(frozen=True)
class FileReader:
    """Reader of a file or a part of it. Ray calls it on any node.

    Attributes:
        name: Name of the file for messages.
        kind: Kind of the file for messages.
        blocks: Function that opens the file and yields its rows.
        person: Id of the person, if the file has only one; None: the rows have ids.
    """

    name: str
    kind: str
    blocks: Callable[[], Iterator[pa.Table]]
    person: str | None = None

    def __call__(self) -> Iterator[pa.Table]:
        """Yield the rows, with the file's name in their metadata.

        Raises:
            SourceError: If the file cannot be read.
        """
        try:
            for block in self.blocks():
                if self.person is not None:
                    block = block.append_column("id", pa.repeat(pa.scalar(self.person), len(block)))
                yield block.replace_schema_metadata({PLACE: self.name})
        except SourceError as error:
            raise SourceError(
                " ".join(str(error).split())
            ) from error  # names and values may contain anything
        except Exception as error:
            raise unreadable(self.name, self.kind, error) from error


def unreadable(name: str, kind: str, error: Exception) -> SourceError:
    """Return the error message for a file that cannot be read."""
    if isinstance(error, UnicodeError):
        return not_utf8(name)
    reason = explain(str(error))
    if "straddling object" in reason:
        reason = "a row is longer than 8 MiB. Is there a quote that is never closed?"
    if isinstance(error, pa.ArrowException | OSError | ValueError):
        return SourceError(f"Cannot read {name} as {kind}: {reason.rstrip('.')}.")
    return SourceError(
        f"Cannot read {name} as {kind}: {type(error).__name__}: {reason}. This is unexpected: "
        "report it with this line and the output of `trajtune doctor`."
    )


def _check_first(files: Files, source: FileSource, label: str | None) -> None:
    """Refuse a source before any task starts if its first file cannot be read or lacks a column."""
    path = files.paths[0]
    try:
        if source.kind == "csv":
            choose_columns(path, source.layout, csv_names(files.filesystem, path, source.csv), label)
        elif source.kind == "parquet":
            with files.filesystem.open_input_file(path) as file:
                choose_columns(path, source.layout, pyarrow.parquet.read_schema(file).names, label)
    except SourceError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unreadable(files.name(path), source.kind, error) from error


def _tasks(files: Files, source: FileSource, label: str | None) -> list[FileReader]:
    readers = []
    filesystem = files.filesystem
    is_file_a_person = source.layout.id_column is None
    base = common_directory(files.paths)
    in_documents = source.kind == "json" or (
        source.kind == "jsonl"
        and (is_file_a_person or source.rows_key is not None or holds_documents(filesystem, files.paths[0]))
    )
    for path, size in zip(files.paths, files.sizes, strict=True):
        opened: list[Callable[[], Iterator[pa.Table]]]
        if source.kind == "csv":
            opened = [partial(csv_blocks, filesystem, path, source, label)]
        elif in_documents:
            opened = [partial(document_blocks, filesystem, path, source.rows_key)]
        elif source.kind == "jsonl":
            opened = [partial(line_blocks, filesystem, path)]
        elif size <= _TASK_BYTES:
            opened = [partial(parquet_blocks, filesystem, path, source, label, None)]
        else:
            groups = _groups(files, path)
            opened = [partial(parquet_blocks, filesystem, path, source, label, group) for group in groups]
        person = below(path, base) if is_file_a_person else None
        readers += [FileReader(files.name(path), source.kind, blocks, person) for blocks in opened]
    return readers


def _groups(files: Files, path: str) -> list[list[int]]:
    try:
        return parquet_groups(files.filesystem, path, _TASK_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(files.name(path), "parquet", error) from error
