import json
import os
import subprocess
import sys
from pathlib import Path

from trajtune.finalizing.bundle_directory import bundle_directory
from trajtune.storage.atomic import process_space
from trajtune.storage.hashes import file_sha256


def test_a_bundle_contains_exactly_these_files(finalized: Path) -> None:
    assert sorted(file.name for file in finalized.iterdir()) == [
        "MODEL_CARD.md",
        "best.pt",
        "calibrator.pkl",
        "evaluation_report.md",
        "manifest.json",
        "metrics.json",
        "probes.json",
        "report.html",
        "test_people.npz",
        "trajectory-lstm-calibration.json",
        "trajectory-lstm-vocab.json",
        "trajectory-lstm.onnx",
    ]
    assert [file.name for file in finalized.parent.iterdir()] == [finalized.name]


def test_the_manifest_contains_the_hash_of_every_other_file(finalized: Path) -> None:
    manifest = json.loads((finalized / "manifest.json").read_text())
    others = {file.name: file_sha256(file) for file in finalized.iterdir() if file.name != "manifest.json"}
    assert manifest["files"] == others
    assert manifest["source"]["kind"] == "test"
    assert manifest["schema_version"] == 1
    assert set(manifest["versions"]) >= {"torch", "onnx", "onnxruntime"}


def test_leftovers_of_a_killed_finalize_are_removed_by_the_next_one(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for number in (dead.pid, os.getppid()):
        (tmp_path / f".b.new-{number}@{process_space()}").mkdir()
    with bundle_directory(tmp_path / "b") as folder:
        (folder / "x").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f".b.new-{os.getppid()}@{process_space()}",
        "b",
    ]
