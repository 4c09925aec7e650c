"""Hashes of files. Needs nothing but Python."""

import hashlib
from pathlib import Path
from typing import Protocol


class Readable(Protocol):
    """A path whose content can be read; ``storage.path.ObjectPath`` is one."""

    def read_bytes(self) -> bytes:
        """The content."""
        ...


def file_sha256(path: Path | Readable) -> str:
    """SHA-256 of a file, hexadecimal; a file on this machine is never held in memory as a whole."""
    if not isinstance(path, Path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
