"""Files on this machine, written so that nobody ever sees a part of one. Needs nothing but Python."""

import os
from pathlib import Path


def write_whole_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it; if that fails, what was there stays."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
