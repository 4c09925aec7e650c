import hashlib
import io
from pathlib import Path

from trajtune.storage.hashes import file_sha256


def test_a_file_and_its_content_in_memory_have_the_same_hash(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    expected = hashlib.sha256(b"content").hexdigest()
    assert file_sha256(tmp_path / "file") == file_sha256(io.BytesIO(b"content")) == expected
