"""Find the files of a path, a directory or a glob, local or s3://."""

import fnmatch
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.fs

from trajtune.errors import SourceError
from trajtune.experiment.sources import FileSource
from trajtune.storage.object_store import explain, open_uri, require_bucket

COMPRESSIONS: Final = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
"""Compression of a file, by the extension of its name."""
_EXTENSIONS: Final = {
    "csv": (".csv",),
    "parquet": (".parquet", ".pq"),
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "json": (".json",),
}
_GLOB_MARKS: Final = "*?["
_MAX_NAMES: Final = 10


@dataclass(frozen=True)
class Files:
    """The files to read.

    Attributes:
        filesystem: Their file system.
        paths: Their paths, sorted; no file is empty.
        sizes: Their sizes in bytes.
        passed_over: Names of files in the directory that are not read.
        scheme: Scheme of the file system, for example ``s3://``; empty for local files.
    """

    filesystem: pyarrow.fs.FileSystem
    paths: list[str]
    sizes: list[int]
    passed_over: list[str]
    scheme: str = ""

    def name(self, path: str) -> str:
        """Return a path for messages."""
        return f"{self.scheme}{path}"


def find_files(source: FileSource) -> Files:
    """Find the files of a source's path.

    An existing path takes precedence over a glob. In a directory, files with an extension of the kind are
    read, in any case and compressed or not. Files and folders whose names begin with ``.`` or ``_`` are
    skipped, because they are temporary files and logs of other programs.

    Raises:
        SourceError: If there is no file.
    """
    path = source.path
    try:
        if "://" in path:
            filesystem, path = open_uri(path)
        else:
            # Ray's workers have another working directory.
            filesystem, path = pyarrow.fs.LocalFileSystem(), os.path.abspath(path)
        files, passed_over = _expand(filesystem, path, source.kind)
        if not files and not passed_over:
            require_bucket(filesystem, path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"Cannot list {source.path}: {explain(str(error))}.") from error
    if not files:
        there = f" It contains {', '.join(passed_over[:_MAX_NAMES])}." if passed_over else ""
        raise SourceError(
            f"There is no file {source.path}. Give a file, a directory or a glob as `source.path`.{there}"
        )
    filled = sorted((info.path, info.size) for info in files if info.size)  # some files may be empty
    if not filled:
        raise SourceError(f"{source.path} is empty. Name another source.")
    scheme = source.path.partition("://")[0] + "://" if "://" in source.path else ""
    return Files(filesystem, [path for path, _ in filled], [size for _, size in filled], passed_over, scheme)


def _expand(
    filesystem: pyarrow.fs.FileSystem, path: str, kind: str
) -> tuple[list[pyarrow.fs.FileInfo], list[str]]:
    """Return the files of a path, and the names of skipped files in a directory."""
    info = filesystem.get_file_info(path)
    if info.type == pyarrow.fs.FileType.Directory:
        infos = filesystem.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
        return _chosen([info for info in infos if info.is_file], path, kind)
    if info.is_file:
        return [info], []
    if not any(mark in path for mark in _GLOB_MARKS):
        return [], []
    base = path[: min(path.find(mark) for mark in _GLOB_MARKS if mark in path)].rpartition("/")[0] or "."
    selector = pyarrow.fs.FileSelector(base, recursive=True, allow_not_found=True)
    parts = (path if base != "." or path.startswith("./") else f"./{path}").split("/")
    infos = [info for info in filesystem.get_file_info(selector) if info.is_file]
    matching = [info for info in infos if _matches(info.path.split("/"), parts)]
    # If the glob itself has such a name, the user means these files.
    is_plain = not any(part.startswith((".", "_")) for part in path.removeprefix(base).split("/"))
    hidden = [info.path for info in matching if is_plain and _is_hidden(info.path, base)]
    return [info for info in matching if info.path not in hidden], [
        path.removeprefix(base) for path in hidden
    ]


def _chosen(
    infos: Sequence[pyarrow.fs.FileInfo], folder: str, kind: str
) -> tuple[list[pyarrow.fs.FileInfo], list[str]]:
    chosen, passed_over = [], []
    for info in sorted(infos, key=lambda info: info.path):
        if not _is_hidden(info.path, folder) and extension(info.path).endswith(_EXTENSIONS[kind]):
            chosen.append(info)
        else:
            passed_over.append(info.path.removeprefix(folder).lstrip("/"))
    return chosen, passed_over


def _is_hidden(path: str, folder: str) -> bool:
    """Return whether the name of a file or of its folder begins with ``.`` or ``_``."""
    return any(part.startswith((".", "_")) for part in path.removeprefix(folder).split("/"))


def extension(path: str) -> str:
    """Return a path in lower case, without the extension of its compression."""
    name = path.lower()
    return next((name.removesuffix(end) for end in COMPRESSIONS if name.endswith(end)), name)


def compression(path: str) -> str | None:
    """Return the compression of a file, by its name."""
    return next((kind for end, kind in COMPRESSIONS.items() if path.lower().endswith(end)), None)


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether a path matches a glob, both split at slashes; ``**`` is any number of parts."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_matches(path[at:], pattern[1:]) for at in range(len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])
