"""Paths of files on this machine or in an object store.

A `StoredPath` is a `pathlib.Path` or an `ObjectPath`, which has the part of Path's interface that a run
needs. An object store has no folders and cannot rename or append. Objects are written atomically, and a
folder exists as long as it contains objects. `storage.files` writes to both kinds.
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
"""Seconds that an operation waits for an unresponsive store, which is enough for a restart."""

FIRST_WAIT_S: Final = 5.0
"""Seconds that the first request to a store waits, because its address may simply be wrong."""

_SCHEME: Final = "s3://"
_UNAVAILABLE: Final = re.compile(
    r"NETWORK_CONNECTION|curlCode|REQUEST_TIMEOUT|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|THROTTLING"
    r"|HTTP (?:status|response code):? 5\d\d"
)


@dataclass(frozen=True, order=True)
class ObjectPath:
    """Path of an object, or of a folder, which is a common prefix of several objects.

    Each operation waits up to `WAIT_S` seconds for an unresponsive store.

    Attributes:
        uri: ``s3://bucket/key``, without a trailing slash.

    Raises:
        FileNotFoundError: In the same cases as pathlib.
        StorageError: If the store does not answer or refuses access.
    """

    uri: str

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "ObjectPath":
        return ObjectPath(f"{self.uri}/{name.strip('/')}")

    @property
    def name(self) -> str:
        """Last part of the path."""
        return PurePosixPath(self.uri).name

    @property
    def parent(self) -> "ObjectPath":
        """Path without its last part; a bucket is its own parent."""
        folder, _, _ = self.uri.rpartition("/")
        return self if f"{folder}/" == _SCHEME else ObjectPath(folder)

    def absolute(self) -> "ObjectPath":
        """Return this path, because a URI is always absolute."""
        return self

    def exists(self) -> bool:
        """Return whether there is such an object or folder."""
        return self._type() != "NotFound"

    def is_file(self) -> bool:
        """Return whether there is such an object."""
        return self._type() == "File"

    def read_bytes(self) -> bytes:
        """Return the content of the object."""

        def read(filesystem: "pyarrow.fs.FileSystem", key: str) -> bytes:
            with filesystem.open_input_stream(key, compression=None) as stream:
                return bytes(stream.read())

        return self._do(read)

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the content of the object as text."""
        return self.read_bytes().decode(encoding)

    def open(self, mode: Literal["rb"]) -> io.BytesIO:
        """Return the content of the object as a file in memory."""
        return io.BytesIO(self.read_bytes())

    def write_bytes(self, content: bytes, *, wait_s: float = WAIT_S) -> None:
        """Write or replace the object; readers see the previous content until the write is complete."""

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
        """Rename the object by copying and deleting it; a process killed in between leaves both objects."""
        _, to = _opened(target.uri)
        self._do(lambda filesystem, key: filesystem.move(key, to))

    def mkdir(self, **options: Any) -> None:
        """Do nothing, because a folder exists once it contains an object."""

    def glob(self, pattern: str) -> "Iterator[ObjectPath]":
        """Yield the direct children whose name matches."""
        from pyarrow.fs import FileSelector

        entries = self._do(
            lambda filesystem, key: filesystem.get_file_info(FileSelector(key, allow_not_found=True))
        )
        yield from (self / entry.base_name for entry in entries if fnmatch(entry.base_name, pattern))

    def remove_tree(self) -> None:
        """Delete all objects in this folder."""
        with suppress(FileNotFoundError):
            self._do(lambda filesystem, key: filesystem.delete_dir(key))

    def check(self) -> None:
        """Check, before any work, that the bucket exists.

        Raises:
            StorageError: If the store does not answer, refuses access, or has no such bucket.
        """
        bucket = self.uri.removeprefix(_SCHEME).partition("/")[0]
        entry = self._do(lambda filesystem, _: filesystem.get_file_info(bucket), FIRST_WAIT_S)
        if entry.type.name == "NotFound":
            from trajtune.storage.object_store import endpoint

            raise StorageError(
                f"There is no bucket {bucket} in the store. Create it, or fix `storage` or "
                f"AWS_ENDPOINT_URL, which is {endpoint()}."
            )

    def _type(self) -> str:
        return str(self._do(lambda filesystem, key: filesystem.get_file_info(key)).type.name)

    def _do(self, operation: Callable[["pyarrow.fs.FileSystem", str], T], wait_s: float = WAIT_S) -> T:
        """Return the result of an operation, which is retried while the store does not answer."""
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
"""Path of a file of a run or snapshot."""


def stored_path(text: str | Path | ObjectPath) -> StoredPath:
    """Return a text as a path: a URI of an object store, or a path on this machine."""
    if isinstance(text, str) and text.startswith(_SCHEME):
        return ObjectPath(text.rstrip("/"))
    return text if isinstance(text, ObjectPath) else Path(text)


def local_path(path: StoredPath) -> Path | None:
    """Return the path if it is on this machine, else None; for locks, journals and links."""
    return path if isinstance(path, Path) else None


def check_reachable(path: StoredPath) -> None:
    """Check, before any work, that the bucket of a path exists; a path on this machine needs no check.

    Raises:
        StorageError: If the store does not answer, refuses access, or has no such bucket.
    """
    if isinstance(path, ObjectPath):
        path.check()


def children(path: StoredPath, pattern: str = "*") -> list[StoredPath]:
    """Return the direct children whose name matches, sorted; none if there is no such folder."""
    return sorted(path.glob(pattern), key=str)


def rename(path: StoredPath, name: str) -> None:
    """Rename a file within its folder; an existing file of that name is replaced."""
    if isinstance(path, ObjectPath):
        path.replace(path.parent / name)
    else:
        path.replace(path.with_name(name))


def remove_tree(path: StoredPath) -> None:
    """Delete a folder and its content."""
    if isinstance(path, ObjectPath):
        path.remove_tree()
    else:
        shutil.rmtree(path)


def on_filesystem(path: StoredPath) -> tuple["pyarrow.fs.FileSystem | None", str]:
    """Return the file system and the path on it, for pyarrow and Ray; None: this machine's file system."""
    return _opened(path.uri) if isinstance(path, ObjectPath) else (None, str(path.absolute()))


def is_uri(text: str) -> bool:
    """Return whether a text is a URI rather than a path on this machine."""
    return "://" in text


def _opened(uri: str) -> tuple["pyarrow.fs.FileSystem", str]:
    bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
    return _filesystem_of(bucket), f"{bucket}/{key}".rstrip("/")


@cache
def _filesystem_of(bucket: str) -> "pyarrow.fs.FileSystem":
    """Return the file system of a bucket, one per process, configured by the environment."""
    from trajtune.storage.object_store import open_uri

    return open_uri(f"{_SCHEME}{bucket}")[0]


def _is_unavailable(error: Exception) -> bool:
    """Return whether the store did not answer, rather than refuse access."""
    if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
        return False
    return _UNAVAILABLE.search(str(error)) is not None
