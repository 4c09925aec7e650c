"""Paths of files that may lie on this machine or in an object store, and how they are written whole.

A `StoredPath` is a `pathlib.Path` or an `ObjectPath`, which has of its interface what a run needs. An
object store has no folders, no renaming and no appending: an object is there whole or not at all, and a
folder is there as long as something is in it.
"""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from trajtune.errors import StorageError
from trajtune.storage.atomic import write_whole_file

if TYPE_CHECKING:
    import pyarrow.fs
    from tenacity import RetryCallState

T = TypeVar("T")

PATIENCE_S: Final = 120.0
"""How long an operation waits for a store that does not answer: a restart takes seconds, not minutes."""

FIRST_PATIENCE_S: Final = 5.0
"""How long the first word to a store waits; it may simply have the wrong address."""

_SCHEME: Final = "s3://"
_AWAY: Final = re.compile(
    r"NETWORK_CONNECTION|curlCode|REQUEST_TIMEOUT|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|THROTTLING"
    r"|HTTP (?:status|response code):? 5\d\d"
)


@dataclass(frozen=True, order=True)
class ObjectPath:
    """An object, or what looks like a folder of objects.

    Each operation waits for a store that does not answer, `PATIENCE_S` seconds unless said otherwise.

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
        """Whether there is such an object, or any below."""
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

    def write_bytes(self, content: bytes, *, patience_s: float = PATIENCE_S) -> None:
        """Make the object, or replace it; until that is done, the former stands."""

        def write(filesystem: "pyarrow.fs.FileSystem", key: str) -> None:
            with filesystem.open_output_stream(key, compression=None) as stream:
                stream.write(content)

        self._do(write, patience_s)

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object."""
        try:
            self._do(lambda filesystem, key: filesystem.delete_file(key))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def replace(self, target: "ObjectPath") -> None:
        """Copy the object to another name and delete it; whoever dies between leaves both."""
        _, to = _opened(target.uri)
        self._do(lambda filesystem, key: filesystem.move(key, to))

    def mkdir(self, **options: Any) -> None:
        """Nothing: a folder is there once something is in it."""

    def glob(self, pattern: str) -> "Iterator[ObjectPath]":
        """What lies directly below and has a name of that pattern."""
        from pyarrow.fs import FileSelector

        found = self._do(
            lambda filesystem, key: filesystem.get_file_info(FileSelector(key, allow_not_found=True))
        )
        yield from (self / info.base_name for info in found if fnmatch(info.base_name, pattern))

    def remove_tree(self) -> None:
        """Delete everything below."""
        with suppress(FileNotFoundError):
            self._do(lambda filesystem, key: filesystem.delete_dir(key))

    def check(self) -> None:
        """Speak to the store for the first time.

        Raises:
            StorageError: If it does not answer, refuses, or has no such bucket.
        """
        bucket = self.uri.removeprefix(_SCHEME).partition("/")[0]
        found = self._do(lambda filesystem, _: filesystem.get_file_info(bucket), FIRST_PATIENCE_S)
        if found.type.name == "NotFound":
            from trajtune.storage.object_store import endpoint

            raise StorageError(
                f"There is no bucket {bucket} in the store. Make it, or mend `storage` or "
                f"AWS_ENDPOINT_URL, which is {endpoint()}."
            )

    def _type(self) -> str:
        return str(self._do(lambda filesystem, key: filesystem.get_file_info(key)).type.name)

    def _do(
        self, operation: Callable[["pyarrow.fs.FileSystem", str], T], patience_s: float = PATIENCE_S
    ) -> T:
        """What an operation gives, as soon as the store answers."""
        # Here, because whoever reads a bundle has neither this nor pyarrow.
        from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

        def say(state: "RetryCallState") -> None:
            if state.attempt_number == 1 and patience_s > FIRST_PATIENCE_S:
                print(
                    f"The store of {self.uri} does not answer; trying again for {patience_s:g} s.",
                    file=sys.stderr,
                    flush=True,
                )

        retrying = Retrying(
            retry=retry_if_exception(_is_away),
            stop=stop_after_delay(patience_s),
            wait=wait_exponential(multiplier=0.2, max=5),
            before_sleep=say,
            reraise=True,
        )
        try:
            return retrying(lambda: operation(*_opened(self.uri)))
        except FileNotFoundError:
            raise
        except OSError as error:
            from trajtune.storage.object_store import explain

            raise StorageError(f"Cannot reach {self.uri}: {explain(str(error))}.") from error


StoredPath = Path | ObjectPath
"""Where a file of a run lies."""


def stored_path(text: str | Path | ObjectPath) -> StoredPath:
    """The path that a text names: a URI of an object store, or a path on this machine."""
    if isinstance(text, str) and text.startswith(_SCHEME):
        return ObjectPath(text.rstrip("/"))
    return text if isinstance(text, ObjectPath) else Path(text)


def write_whole(path: StoredPath, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it: beside and renamed, or as one object."""
    if isinstance(path, ObjectPath):
        path.write_bytes(content)
    else:
        write_whole_file(path, content)


def children(path: StoredPath, pattern: str = "*") -> list[StoredPath]:
    """What lies directly below and has a name of that pattern, sorted; nothing if there is no such folder."""
    return sorted(path.glob(pattern), key=str)


def rename(path: StoredPath, name: str) -> None:
    """Give a file another name in its folder, in place of what has it."""
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
    """The path as pyarrow and Ray name it: on which file system, None for this machine's, and where there."""
    return _opened(path.uri) if isinstance(path, ObjectPath) else (None, str(path.absolute()))


def is_uri(text: str) -> bool:
    """Whether a text names something that is not on this machine."""
    return "://" in text


def _opened(uri: str) -> tuple["pyarrow.fs.FileSystem", str]:
    bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
    return _filesystem_of(bucket), f"{bucket}/{key}".rstrip("/")


@cache
def _filesystem_of(bucket: str) -> "pyarrow.fs.FileSystem":
    """One a bucket and process; the environment says where it is and who we are."""
    from trajtune.storage.object_store import open_uri

    return open_uri(f"{_SCHEME}{bucket}")[0]


def _is_away(error: BaseException) -> bool:
    """Whether the store did not answer, rather than refuse."""
    if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
        return False
    return _AWAY.search(str(error)) is not None
