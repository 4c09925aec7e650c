"""Hashes of files. Needs nothing but Python."""

import hashlib
import io
from pathlib import Path


def file_sha256(source: Path | io.BytesIO) -> str:
    """SHA-256 of a file or of a fetched content, hexadecimal; a file is never held in memory as a whole."""
    if isinstance(source, io.BytesIO):
        return hashlib.sha256(source.getbuffer()).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
