"""Operations of runs and snapshots on local files and objects in a store: write, append, link and publish.

Only this module and `storage.path` know that an object store cannot rename, append or link.
"""

import errno
import io
import json
import os
import tempfile
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from trajtune.errors import StorageError
from trajtune.storage.atomic import (
    atomic_path,
    local_staging_directory,
    remove,
    rename_directory,
    write_atomically,
)
from trajtune.storage.hashes import file_sha256
from trajtune.storage.path import ObjectPath, StoredPath, check_reachable, children

_LOG_INTERVAL_S: Final = 5.0
_NO_LINKS: Final = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of file systems without symbolic links."""

_PROBE_BYTES: Final = 1 << 20


def write_file(path: StoredPath, content: bytes, *, unique: bool = False) -> None:
    """Write or replace a file atomically.

    Args:
        path: Path of the file.
        content: New content.
        unique: Whether several processes, also on several hosts, may write it at once; the last one wins.
    """
    if isinstance(path, ObjectPath):
        path.write_bytes(content)
    else:
        write_atomically(path, content, unique=unique)


@contextmanager
def open_new_file(path: StoredPath) -> Iterator[IO[bytes]]:
    """Yield a file to write and read back, which replaces ``path`` if the block succeeds.

    The folder of ``path`` is created.
    """
    if isinstance(path, ObjectPath):
        memory = io.BytesIO()
        yield memory
        path.write_bytes(memory.getvalue())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("w+b") as file:
        yield file


def write_json(path: StoredPath, content: Mapping[str, Any], *, allow_nan: bool = False) -> None:
    """Write or replace an indented JSON file atomically.

    Raises:
        ValueError: If the content has NaN or infinity, which are not JSON, unless ``allow_nan``.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=allow_nan)
    write_file(path, f"{text}\n".encode())


def append_line(path: StoredPath, line: str) -> None:
    """Append a line to a file and sync it to disk, so that the line survives any later failure.

    Object stores cannot append. Two processes that replaced the same object could lose a line. In a store
    each line is therefore a separate object, named by the time: a line of ``ledger.jsonl`` is
    ``ledger-….jsonl``.
    """
    if isinstance(path, ObjectPath):
        name, now = PurePosixPath(path.name), datetime.now(UTC)
        unique = f"{name.stem}-{now:%Y%m%d-%H%M%S-%f}-{uuid.uuid4().hex[:8]}{name.suffix}"
        (path.parent / unique).write_bytes(f"{line}\n".encode())
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def appended_lines(path: StoredPath) -> list[str]:
    """Return every line that `append_line` has appended, oldest first."""
    name = PurePosixPath(path.name)
    files = children(path.parent, f"{name.stem}*{name.suffix}")
    return [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line]


def open_log(path: StoredPath) -> "IO[bytes] | io.RawIOBase":
    """Open a log to append lines to; each line is stored immediately, or in a store within some seconds."""
    return _ObjectLog(path) if isinstance(path, ObjectPath) else path.open("ab", buffering=0)


class _ObjectLog(io.RawIOBase):
    """A log in a store, which is rewritten every `_LOG_INTERVAL_S` seconds and when it is closed.

    It does not wait for a store that does not answer, because a log must not block the work that it
    describes.
    """

    def __init__(self, path: ObjectPath) -> None:
        self._path = path
        self._content = bytearray(path.read_bytes() if path.is_file() else b"")
        self._written_at = 0.0

    def write(self, line: Any) -> int:
        self._content += line
        if time.monotonic() - self._written_at > _LOG_INTERVAL_S:
            self._put()
        return len(line)

    def close(self) -> None:
        if not self.closed:
            self._put()
        super().close()

    def _put(self) -> None:
        self._written_at = time.monotonic()
        with suppress(StorageError):
            self._path.write_bytes(bytes(self._content), wait_s=0)


def set_link(path: StoredPath, name: str) -> None:
    """Link ``path`` to another entry of its folder, with a symbolic link or a file that contains the name.

    Object stores and some file systems have no links.
    """
    if isinstance(path, ObjectPath):
        path.write_bytes(f"{name}\n".encode())
        return
    temporary = path.with_name(f".{path.name}.{name}")
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(name)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        write_atomically(path, f"{name}\n".encode(), unique=True)
    else:
        os.replace(temporary, path)


def follow_link(path: StoredPath) -> StoredPath | None:
    """Return the entry that `set_link` linked ``path`` to; None without a link."""
    if isinstance(path, ObjectPath) or (path.is_file() and not path.is_symlink()):
        return path.parent / path.read_text().strip() if path.is_file() else None
    if path.is_file():  # on a file system without links
        path = path.parent / path.read_text("utf-8").strip()
    return path.resolve() if path.exists() else None


@contextmanager
def staging_directory(target: StoredPath) -> Iterator[Path]:
    """Yield a directory on this machine to fill for `publish_directory`; it is deleted after the block.

    It is next to ``target`` if that is on this machine, so that publishing is one rename.
    """
    if isinstance(target, ObjectPath):
        with tempfile.TemporaryDirectory(prefix="trajtune-") as folder:
            yield Path(folder)
        return
    with local_staging_directory(target) as staging:
        yield staging


def publish_directory(folder: Path, target: StoredPath, *, last: str) -> None:
    """Publish a staged directory as ``target`` atomically.

    Args:
        folder: Directory from `staging_directory`, filled.
        target: Path to publish it at.
        last: Name of the file without which the directory counts as missing; in a store it is written last.

    Raises:
        FileExistsError: If the target exists.
    """
    if not isinstance(target, ObjectPath):
        rename_directory(folder, target)
        return
    if (target / last).is_file():
        raise FileExistsError(f"{target} exists")
    names = [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()]
    for name in sorted(names, key=lambda name: (name == last, name)):
        (target / name).write_bytes((folder / name).read_bytes())


def repair_directory(folder: Path, target: StoredPath, *, last: str, kept: Collection[str] = ()) -> list[str]:
    """Write every file of a staged directory that is missing or different in ``target``.

    Other files in the target stay. Several processes may repair it at once, because they write the same
    content.

    Args:
        folder: Directory from `staging_directory`, filled with the right content.
        target: Directory that was published before and may be damaged.
        last: Name of the file that is written last; see `publish_directory`.
        kept: Names of files that may differ.

    Returns:
        Names of the files that were written.

    Raises:
        FileExistsError: If the target is a file.
    """
    names = [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()]
    written = []
    for name in sorted(names, key=lambda name: (name == last, name)):
        if name in kept or _is_same(folder / name, target / name):
            continue
        if not isinstance(target, ObjectPath):
            _remove_obstacles(target, name)
        write_file(target / name, (folder / name).read_bytes(), unique=True)
        written.append(name)
    return written


def _is_same(file: Path, other: StoredPath) -> bool:
    if not other.is_file():
        return False
    content = io.BytesIO(other.read_bytes()) if isinstance(other, ObjectPath) else other
    return file_sha256(file) == file_sha256(content)


def _remove_obstacles(target: Path, name: str) -> None:
    """Remove directories where the file ``name`` belongs, and files where its directories belong."""
    folder = target
    folder.mkdir(exist_ok=True)
    for part in PurePosixPath(name).parent.parts:
        folder /= part
        if not folder.is_dir():
            remove(folder)
        folder.mkdir(exist_ok=True)
    if (target / name).is_dir():
        remove(target / name)


def check_writable(path: StoredPath, setting: str) -> None:
    """Check, before any work, that a directory can be created and written to; leaves no files behind.

    Args:
        path: Path of the directory, which need not exist.
        setting: Name of its setting, for the error message.

    Raises:
        StorageError: If it is not a directory, is not writable, or its disk is full, or if a store does not
            answer.
    """
    check_reachable(path)
    if isinstance(path, ObjectPath):
        return
    existing = path.absolute()
    while not os.path.lexists(existing):
        existing = existing.parent
    with storage_errors_explained(path, setting):
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{existing} is not a directory")
        with tempfile.TemporaryFile(dir=existing, buffering=0) as probe:
            written = 0
            while written < _PROBE_BYTES:  # an almost full disk accepts only a part
                written += probe.write(bytes(_PROBE_BYTES - written))


@contextmanager
def storage_errors_explained(path: StoredPath, setting: str) -> Iterator[None]:
    """Turn errors within the block into one line that says why a directory cannot be written.

    Args:
        path: Path of the directory.
        setting: Name of its setting, for the error message.

    Raises:
        StorageError: If the block raises an `OSError`.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.ENOTDIR and error.strerror:
            reason = error.strerror
        remedy = "Free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Make it writable"
        raise StorageError(
            f"Cannot write to {path}: {' '.join(reason.split())}. {remedy}, or set `{setting}` to another "
            "directory."
        ) from error
