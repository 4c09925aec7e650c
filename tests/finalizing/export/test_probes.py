import json
from pathlib import Path

from trajtune.bundle.bundle import load_bundle
from trajtune.dataset.snapshot import Snapshot


def test_probe_careers_are_not_real_careers(finalized: Path, changing_snapshot: Snapshot) -> None:
    probes = json.loads((finalized / "probes.json").read_text())["careers"]
    encoder = load_bundle(finalized).encoder
    real = {tuple(map(encoder.encode, career)) for career in changing_snapshot.read("val").titles.to_pylist()}
    long_ones = [career for career in probes if len(career) > 2]
    assert not [career for career in long_ones if tuple(map(encoder.encode, career)) in real]
