import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.finalized import earlier_bundle
from trajtune.bundle.manifest import CALIBRATION, CHECKPOINT, FILES, MODEL, VOCABULARY, manifest_sha256
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


def signed(bundle: Path) -> None:
    """Give every file of a bundle its right hash."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"] = {name: file_sha256(bundle / name) for name in manifest["files"]}
    manifest["manifest_sha256"] = manifest_sha256(manifest)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


MALFORMED = [
    *[(name, b"{") for name in ("metrics.json", "probes.json", CALIBRATION, VOCABULARY, MODEL, CHECKPOINT)],
    *[(name, b"[]") for name in ("metrics.json", "probes.json", CALIBRATION, VOCABULARY)],
    *[(name, b"\xff") for name in ("metrics.json", "probes.json", CALIBRATION, VOCABULARY)],
    ("probes.json", b'{"careers": 3, "expected": 3}'),
    ("probes.json", b'{"careers": [["Nurse"]], "expected": [{}]}'),
    (CALIBRATION, b'{"breakpoints": [], "values": [], "minX": 0, "maxX": 1}'),
    (CALIBRATION, b'{"breakpoints": ["a"], "values": [1], "minX": "a", "maxX": null, "x": {}}'),
]


@pytest.mark.parametrize(("name", "content"), MALFORMED)
def test_verify_names_a_malformed_file_though_its_hash_is_right(
    finalized: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    (copied / name).write_bytes(content)
    signed(copied)
    with pytest.raises(BundleError, match=re.escape(name)) as refused:
        verify(copied)
    assert re.search(r"is malformed, though its hash is right|must be a rising table", str(refused.value))
    assert "\n" not in str(refused.value)


def test_another_graph_than_a_bundles_is_named(finalized: Path, tmp_path: Path) -> None:
    import onnx

    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    opset = [onnx.helper.make_opsetid("", 17)]
    graph = onnx.helper.make_graph([node], "other", [value], [out])
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), copied / MODEL)
    signed(copied)
    with pytest.raises(BundleError, match=rf"{MODEL} is malformed"):
        verify(copied)


def test_a_manifest_without_what_verify_prints_is_named(finalized: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    manifest = json.loads((copied / "manifest.json").read_text())
    del manifest["source"]
    (copied / "manifest.json").write_text(json.dumps(manifest))
    signed(copied)
    with pytest.raises(BundleError, match=r"manifest\.json is malformed"):
        verify(copied)


def test_verify_names_what_was_added_but_for_hidden_files(finalized: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    (copied / ".DS_Store").touch()
    verify(copied)
    (copied / "notes.txt").touch()
    (copied / "more").mkdir()
    with pytest.raises(BundleError, match=r"but more was added, notes.txt was added\. Remove it\."):
        verify(copied)
    (copied / "best.pt").unlink()
    with pytest.raises(BundleError, match=r"best.pt is missing, more was added, .* Finalize again\."):
        verify(copied)
