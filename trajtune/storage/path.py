"""Paths of files that may lie on this machine or in an object store.

A `StoredPath` is a `pathlib.Path` or an `ObjectPath`, which has the part of its interface that a run needs.
An object store has no folders, no renaming and no appending: an object appears complete or not at all, and a
folder exists as long as something is in it. `storage.files` writes to both kinds.
"""

import io
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from trajtune.errors import StorageError
from trajtune.storage.retry import retrying

if TYPE_CHECKING:
    import pyarrow.fs

T = TypeVar("T")

WAIT_S: Final = 120.0
"""Seconds that an operation waits for a store that does not answer: a restart takes seconds, not minutes."""

FIRST_WAIT_S: Final = 5.0
"""Seconds that the first request to a store waits; it may simply have the wrong address."""

_SCHEME: Final = "s3://"
_UNAVAILABLE: Final = re.compile(
    r"NETWORK_CONNECTION|curlCode|REQUEST_TIMEOUT|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|THROTTLING"
    r"|HTTP (?:status|response code):? 5\d\d"
)


@dataclass(frozen=True, order=True)
class ObjectPath:
    """An object, or the common prefix of several, which looks like a folder.

    Each operation waits up to `WAIT_S` seconds for a store that does not answer.

    Attributes:
        uri: ``s3://bucket/key``, without a slash at its end.

    Raises:
        FileNotFoundError: As pathlib does.
        StorageError: If the store does not answer, or refuses.
    """

    uri: str

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "ObjectPath":
        return ObjectPath(f"{self.uri}/{name.strip('/')}")

    @property
    def name(self) -> str:
        """The last part."""
        return PurePosixPath(self.uri).name

    @property
    def parent(self) -> "ObjectPath":
        """The path without its last part; a bucket is its own."""
        folder, _, _ = self.uri.rpartition("/")
        return self if f"{folder}/" == _SCHEME else ObjectPath(folder)

    def absolute(self) -> "ObjectPath":
        """A URI is absolute."""
        return self

    def exists(self) -> bool:
        """Whether there is such an object, or any below it."""
        return self._type() != "NotFound"

    def is_file(self) -> bool:
        """Whether there is such an object."""
        return self._type() == "File"

    def read_bytes(self) -> bytes:
        """The object's content."""

        def read(filesystem: "pyarrow.fs.FileSystem", key: str) -> bytes:
            with filesystem.open_input_stream(key, compression=None) as stream:
                return bytes(stream.read())

        return self._do(read)

    def read_text(self, encoding: str = "utf-8") -> str:
        """The object's content as text."""
        return self.read_bytes().decode(encoding)

    def open(self, mode: Literal["rb"]) -> io.BytesIO:
        """The object's content as a file in memory."""
        return io.BytesIO(self.read_bytes())

    def write_bytes(self, content: bytes, *, wait_s: float = WAIT_S) -> None:
        """Write or replace the object; readers see the former content until that is done."""

        def write(filesystem: "pyarrow.fs.FileSystem", key: str) -> None:
            with filesystem.open_output_stream(key, compression=None) as stream:
                stream.write(content)

        self._do(write, wait_s)

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object."""
        try:
            self._do(lambda filesystem, key: filesystem.delete_file(key))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def replace(self, target: "ObjectPath") -> None:
        """Copy the object to another name and delete it; a process that is killed in between leaves both."""
        _, to = _opened(target.uri)
        self._do(lambda filesystem, key: filesystem.move(key, to))

    def mkdir(self, **options: Any) -> None:
        """Do nothing: a folder exists once something is in it."""

    def glob(self, pattern: str) -> "Iterator[ObjectPath]":
        """The entries directly below whose name matches."""
        from pyarrow.fs import FileSelector

        entries = self._do(
            lambda filesystem, key: filesystem.get_file_info(FileSelector(key, allow_not_found=True))
        )
        yield from (self / entry.base_name for entry in entries if fnmatch(entry.base_name, pattern))

    def remove_tree(self) -> None:
        """Delete everything below."""
        with suppress(FileNotFoundError):
            self._do(lambda filesystem, key: filesystem.delete_dir(key))

    def check(self) -> None:
        """Ask the store for the bucket, before any work.

        Raises:
            StorageError: If it does not answer, refuses, or has no such bucket.
        """
        bucket = self.uri.removeprefix(_SCHEME).partition("/")[0]
        entry = self._do(lambda filesystem, _: filesystem.get_file_info(bucket), FIRST_WAIT_S)
        if entry.type.name == "NotFound":
            from trajtune.storage.object_store import endpoint

            raise StorageError(
                f"There is no bucket {bucket} in the store. Make it, or fix `storage` or "
                f"AWS_ENDPOINT_URL, which is {endpoint()}."
            )

    def _type(self) -> str:
        return str(self._do(lambda filesystem, key: filesystem.get_file_info(key)).type.name)

    def _do(self, operation: Callable[["pyarrow.fs.FileSystem", str], T], wait_s: float = WAIT_S) -> T:
        """The operation's result, as soon as the store answers."""
        try:
            return retrying(
                lambda: operation(*_opened(self.uri)),
                _is_unavailable,
                seconds=wait_s,
                service=f"The store of {self.uri}" if wait_s > FIRST_WAIT_S else None,
            )
        except FileNotFoundError:
            raise
        except OSError as error:
            from trajtune.storage.object_store import explain

            raise StorageError(f"Cannot reach {self.uri}: {explain(str(error))}.") from error


StoredPath = Path | ObjectPath
"""Where a file of a run or snapshot lies."""


def stored_path(text: str | Path | ObjectPath) -> StoredPath:
    """The path that a text names: a URI of an object store, or a path on this machine."""
    if isinstance(text, str) and text.startswith(_SCHEME):
        return ObjectPath(text.rstrip("/"))
    return text if isinstance(text, ObjectPath) else Path(text)


def local_path(path: StoredPath) -> Path | None:
    """The path if it is on this machine, else None: for what needs a lock, a journal or a link."""
    return path if isinstance(path, Path) else None


def check_reachable(path: StoredPath) -> None:
    """Ask a path's store for its bucket, before any work; a path on this machine needs no check.

    Raises:
        StorageError: If the store does not answer, refuses, or has no such bucket.
    """
    if isinstance(path, ObjectPath):
        path.check()


def children(path: StoredPath, pattern: str = "*") -> list[StoredPath]:
    """The entries directly below whose name matches, sorted; none if there is no such folder."""
    return sorted(path.glob(pattern), key=str)


def rename(path: StoredPath, name: str) -> None:
    """Give a file another name in its folder; a file of that name is replaced."""
    if isinstance(path, ObjectPath):
        path.replace(path.parent / name)
    else:
        path.replace(path.with_name(name))


def remove_tree(path: StoredPath) -> None:
    """Delete a folder with all that is in it."""
    if isinstance(path, ObjectPath):
        path.remove_tree()
    else:
        shutil.rmtree(path)


def on_filesystem(path: StoredPath) -> tuple["pyarrow.fs.FileSystem | None", str]:
    """The file system and the path on it, as pyarrow and Ray take them; None is this machine's."""
    return _opened(path.uri) if isinstance(path, ObjectPath) else (None, str(path.absolute()))


def is_uri(text: str) -> bool:
    """Whether a text is a URI rather than a path on this machine."""
    return "://" in text


def _opened(uri: str) -> tuple["pyarrow.fs.FileSystem", str]:
    bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
    return _filesystem_of(bucket), f"{bucket}/{key}".rstrip("/")


@cache
def _filesystem_of(bucket: str) -> "pyarrow.fs.FileSystem":
    """One file system for each bucket and process; endpoint and credentials come from the environment."""
    from trajtune.storage.object_store import open_uri

    return open_uri(f"{_SCHEME}{bucket}")[0]


def _is_unavailable(error: Exception) -> bool:
    """Whether the store did not answer, rather than refuse."""
    if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
        return False
    return _UNAVAILABLE.search(str(error)) is not None
