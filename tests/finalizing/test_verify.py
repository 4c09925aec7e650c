import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.finalized import earlier_bundle
from trajtune.bundle.manifest import FILES, manifest_sha256
from trajtune.errors import BundleError
from trajtune.finalizing.verify import verify
from trajtune.storage.hashes import file_sha256


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_verify_names_any_altered_file(finalized: Path, tmp_path: Path, name: str) -> None:
    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    if name == "manifest.json":
        manifest = json.loads((copied / name).read_text())
        (copied / name).write_text(json.dumps({**manifest, "gates_passed": not manifest["gates_passed"]}))
    else:
        content = bytearray((copied / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copied / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"must be unchanged, but {re.escape(name)} was altered\."):
        verify(copied)


def test_a_bundle_of_an_earlier_version_lacks_the_people_of_test(finalized: Path, tmp_path: Path) -> None:
    assert verify(earlier_bundle(finalized, tmp_path / "bundle"))["gates_passed"] is False


def test_verify_names_every_altered_or_missing_file(finalized: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    assert verify(copied)["max_abs_error"] < 1e-5
    (copied / "metrics.json").write_text("{}")
    (copied / "best.pt").unlink()
    with pytest.raises(BundleError, match="best.pt is missing, metrics.json was altered"):
        verify(copied)


def test_verify_runs_the_graph_in_addition_to_checking_hashes(finalized: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    probes = json.loads((copied / "probes.json").read_text())
    probes["expected"][5]["tenure_pred"][1] += 1
    (copied / "probes.json").write_text(json.dumps(probes))
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["files"]["probes.json"] = file_sha256(copied / "probes.json")
    manifest["manifest_sha256"] = manifest_sha256(manifest)
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="prediction for probe career 6 differs from torch's"):
        verify(copied)
