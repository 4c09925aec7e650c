import shutil
from pathlib import Path

import pytest

from trajtune.bundle.bundle import load_bundle
from trajtune.bundle.manifest import MANIFEST
from trajtune.errors import BundleError


@pytest.fixture
def copied(finalized: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may damage."""
    return Path(shutil.copytree(finalized, tmp_path / "bundle"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "is not the manifest of a bundle"),
        ('{"files": {}, "schema_version": 99}', "reads bundles of version 1, but .* has 99"),
    ],
)
def test_an_invalid_manifest_is_refused(copied: Path, content: str, message: str) -> None:
    (copied / MANIFEST).write_text(content)
    with pytest.raises(BundleError, match=message):
        load_bundle(copied)
