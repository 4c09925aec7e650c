"""Atomic writes on this machine: a reader sees either the old or the new content, never a part of it.

Everything is written to a hidden path next to its target and renamed when it is complete. Nothing is synced
to disk: a rename survives the end of the process, even if it is killed. After a power failure the newest
version may be missing or damaged, so checkpoints, snapshots and bundles contain hashes of their content.

Needs only Python's standard library, because readers of a bundle may have installed little more.
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
    """Write or replace a file; if that fails, the previous content stays and no temporary file is left.

    Args:
        path: Path of the file.
        content: New content.
        unique: Whether several processes may write the file at once; see `atomic_path`.
    """
    with atomic_path(path, unique=unique) as temporary:
        temporary.write_bytes(content)


@contextmanager
def atomic_path(path: Path, *, unique: bool = False) -> Iterator[Path]:
    """Yield a hidden path to write to, which replaces ``path`` if the block succeeds and is deleted if not.

    Args:
        path: Path of the target file.
        unique: Whether several processes, also on several hosts, may write the target at once; the last one
            wins. Otherwise only one process may write at a time, and it overwrites leftovers of killed ones.
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
    """Yield a new hidden directory next to ``target``, to fill and rename; it is deleted if not renamed.

    Leftovers of killed processes on this host for the same target are deleted first. Those of other hosts and
    containers on a shared file system stay, because their processes cannot be checked from here.
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
    """Rename a directory; the file system checks that the name is free, so two processes cannot collide.

    Raises:
        FileExistsError: If the target is a file or a non-empty directory.
    """
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        raise


def _own_name(target: Path) -> Path:
    """Return a hidden path next to ``target`` that no other process uses."""
    return target.with_name(f".{target.name}.new-{secrets.token_hex(4)}-{os.getpid()}@{process_space()}")


@cache
def process_space() -> str:
    """Return an id of the namespace in which process ids are unique: a host, or a container on it.

    Containers may have the same host name, but a running process of one container has no id in another.
    """
    identity = ""
    with suppress(OSError):  # only Linux has these files
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        identity = hashlib.sha256(f"{boot} {os.readlink('/proc/self/ns/pid')}".encode()).hexdigest()[:8]
    return f"{socket.gethostname()}-{identity}"


def _remove_abandoned(target: Path) -> None:
    suffix = f"@{process_space()}"
    for path in target.parent.glob(glob.escape(f".{target.name}.new-") + "*" + glob.escape(suffix)):
        try:
            os.kill(int(path.name.removesuffix(suffix).rpartition("-")[2]), 0)
        except (ValueError, ProcessLookupError):
            remove(path)
        except PermissionError:  # a running process of another user
            continue


def remove(path: Path) -> None:
    """Delete a file, a link or a directory with its content, if it exists and can be deleted."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
