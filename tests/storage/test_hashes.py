import hashlib
from pathlib import Path

from trajtune.storage.hashes import file_sha256


class InStore:
    """A path that is no file on this machine."""

    def read_bytes(self) -> bytes:
        return b"content"


def test_a_file_has_the_same_hash_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    expected = hashlib.sha256(b"content").hexdigest()
    assert file_sha256(tmp_path / "file") == file_sha256(InStore()) == expected
