"""Hashes of files. Needs only Python's standard library."""

import hashlib
import io
from pathlib import Path


def file_sha256(source: Path | io.BytesIO) -> str:
    """Return the hexadecimal SHA-256 of a file, read in chunks, or of content in memory."""
    if isinstance(source, io.BytesIO):
        return hashlib.sha256(source.getbuffer()).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
