"""Atomic writes on this machine: a reader sees the old content or the new, never a part of it.

Everything is written to a hidden path next to its target and renamed when it is complete. Nothing is synced:
a rename survives the end of the process, however it ends. After a power failure the newest version may be
missing or damaged, so checkpoints, snapshots and bundles carry hashes of their content.

Needs nothing but Python, because whoever reads a bundle has little more.
"""

import errno
import glob
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write or replace a file; if that fails, the former content stays and nothing is left next to it."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def atomic_path(path: Path, *, unique: bool = False) -> Iterator[Path]:
    """A hidden path to write to, which replaces ``path`` if the block succeeds and is deleted if it fails.

    Args:
        path: The target file.
        unique: Let several processes write the target at once; the last one wins. Otherwise one process at a
            time may write, and overwrites what a killed one has left.
    """
    temporary = path.with_name(f".{path.name}.new" + (f"-{os.getpid()}" if unique else ""))
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def local_staging_directory(target: Path) -> Iterator[Path]:
    """A new hidden directory next to ``target``, to fill and rename; deleted if the block does not rename it.

    What killed processes of this host have left for the same target is deleted first. Other hosts may share
    the file system, and their processes cannot be asked from here.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target)
    folder = target.with_name(
        f".{target.name}.new-{secrets.token_hex(4)}-{os.getpid()}@{socket.gethostname()}"
    )
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rename_directory(folder: Path, target: Path) -> None:
    """Rename a directory; the file system decides whether the name is free, so two processes cannot collide.

    Raises:
        FileExistsError: If there is a file or a directory that is not empty.
    """
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        raise


def _remove_abandoned(target: Path) -> None:
    of_this_host = f"@{socket.gethostname()}"
    for folder in target.parent.glob(glob.escape(f".{target.name}.new-") + "*" + glob.escape(of_this_host)):
        try:
            os.kill(int(folder.name.removesuffix(of_this_host).rpartition("-")[2]), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:  # a living process of another user
            continue
