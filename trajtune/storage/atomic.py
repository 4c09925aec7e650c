"""Atomic writes on this machine: a reader sees the old content or the new, never a part of it.

Everything is written to a hidden path next to its target and renamed when it is complete. Nothing is synced:
a rename survives the end of the process, however it ends. After a power failure the newest version may be
missing or damaged, so checkpoints, snapshots and bundles carry hashes of their content.

Needs nothing but Python, because whoever reads a bundle has little more.
"""

import errno
import glob
import hashlib
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, unique: bool = False) -> None:
    """Write or replace a file; if that fails, the former content stays and nothing is left next to it.

    Args:
        path: The file.
        content: Its new content.
        unique: As of `atomic_path`.
    """
    with atomic_path(path, unique=unique) as temporary:
        temporary.write_bytes(content)


@contextmanager
def atomic_path(path: Path, *, unique: bool = False) -> Iterator[Path]:
    """A hidden path to write to, which replaces ``path`` if the block succeeds and is deleted if it fails.

    Args:
        path: The target file.
        unique: Let several processes write the target at once, also from several hosts; the last one wins.
            Otherwise one process at a time may write, and overwrites what a killed one has left.
    """
    temporary = path.with_name(f".{path.name}.new")
    if unique:
        _remove_abandoned(path)
        temporary = _own_name(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def local_staging_directory(target: Path) -> Iterator[Path]:
    """A new hidden directory next to ``target``, to fill and rename; deleted if the block does not rename it.

    What killed processes of this host have left for the same target is deleted first. Other hosts and other
    containers may share the file system, and their processes cannot be asked from here.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target)
    folder = _own_name(target)
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


def _own_name(target: Path) -> Path:
    """A hidden path next to ``target`` that no other process has."""
    return target.with_name(f".{target.name}.new-{secrets.token_hex(4)}-{os.getpid()}@{process_space()}")


@cache
def process_space() -> str:
    """The set of processes in which a process id means one process: a host, or a container on it.

    Containers may share a host's name, and then a living process of one is a missing number in another.
    """
    identity = ""
    with suppress(OSError):  # only Linux has them
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        identity = hashlib.sha256(f"{boot} {os.readlink('/proc/self/ns/pid')}".encode()).hexdigest()[:8]
    return f"{socket.gethostname()}-{identity}"


def _remove_abandoned(target: Path) -> None:
    of_this_space = f"@{process_space()}"
    for path in target.parent.glob(glob.escape(f".{target.name}.new-") + "*" + glob.escape(of_this_space)):
        try:
            os.kill(int(path.name.removesuffix(of_this_space).rpartition("-")[2]), 0)
        except (ValueError, ProcessLookupError):
            remove(path)
        except PermissionError:  # a living process of another user
            continue


def remove(path: Path) -> None:
    """Delete a file, a link or a directory with all below, if it is there and can be deleted."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
