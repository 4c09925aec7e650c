"""A small finished search and its bundle, shared by the tests of finalize and of the bundle."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.careers import changing_careers, loaded
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import Experiment

if TYPE_CHECKING:  # importing torch is slow, and most tests do not need it
    from trajtune.dataset.snapshot import Snapshot
    from trajtune.finalizing.calibrate.isotonic import CalibrationTable
    from trajtune.finalizing.export.exported_module import ExportedModule
    from trajtune.searching.runs.directory import Run


def renamed(bundle: Path, folder: Path, titles: Sequence[str]) -> Path:
    """Return a copy of a bundle in which the first titles are replaced; its hashes are updated."""
    import json
    import shutil

    from trajtune.bundle.manifest import VOCABULARY
    from trajtune.dataset.titles import TitleEncoder
    from trajtune.storage.hashes import file_sha256

    copy = Path(shutil.copytree(bundle, folder))
    former = [title for index, title in TitleEncoder.load(copy / VOCABULARY).idx_to_title.items() if index]
    names = [*titles, *former[len(titles) :]]
    TitleEncoder.fit({name: len(names) - index for index, name in enumerate(names)}).save(copy / VOCABULARY)
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    manifest["files"][VOCABULARY] = file_sha256(copy / VOCABULARY)
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return copy


def earlier_bundle(bundle: Path, folder: Path) -> Path:
    """A copy of a bundle as versions before ``test_people.npz`` wrote it."""
    import json
    import shutil

    from trajtune.bundle.manifest import MANIFEST, TEST_PEOPLE, manifest_sha256

    copy = Path(shutil.copytree(bundle, folder))
    (copy / TEST_PEOPLE).unlink()
    manifest = json.loads((copy / MANIFEST).read_text("utf-8"))
    del manifest["files"][TEST_PEOPLE]
    manifest["manifest_sha256"] = manifest_sha256(manifest)
    (copy / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    return copy


def searched(folder: Path, snapshot: "Snapshot", trials: Sequence[Params], **finalize: int) -> "Run":
    """Return a run with recorded trials, as if it had searched: the research default, then ``trials``."""
    from trajtune.experiment.space import load_space
    from trajtune.searching.runs.create import create_run
    from trajtune.searching.runs.retention import retain_best
    from trajtune.searching.study.open import create_study
    from trajtune.searching.study.study import ask, enqueue, record_epoch, tell_complete
    from trajtune.searching.study.trial_records import read_trials

    experiment = validate(
        Experiment,
        {
            "storage": {name: str(folder / name) for name in ("snapshots", "runs", "bundles")},
            "finalize": {"top_k": 1, "seeds": 1, **finalize},
        },
        "test",
    )
    space = load_space("smoke")
    run = create_run(experiment, space, name="searched", snapshot_path=snapshot.path, snapshot_id=snapshot.id)
    study = create_study(run.path, experiment.search, experiment.training.max_epochs)
    for number, params in enumerate((RESEARCH_DEFAULT, *trials)):
        enqueue(study, space, params, "research_default" if number == 0 else "sampler")
        trial = ask(study, space, experiment.search, experiment.training)
        report = {"epoch": 1, "val_next_role_nll": 2.0 - number / 10, "seconds": 1.0}
        record_epoch(study, trial, "val_next_role_nll", report)
        tell_complete(study, trial)
    retain_best(run, read_trials(study))
    return run


@pytest.fixture(scope="session")
def changing_snapshot(tmp_path_factory: pytest.TempPathFactory) -> "Snapshot":
    from trajtune.dataset.prepare import snapshot_of

    folder = tmp_path_factory.mktemp("snapshots")
    experiment = validate(Experiment, {"storage": {"snapshots": str(folder)}}, "test")
    return snapshot_of(loaded(changing_careers(1600)), experiment)


@pytest.fixture(scope="session")
def searched_run(tmp_path_factory: pytest.TempPathFactory, changing_snapshot: "Snapshot") -> "Run":
    small = Params(hidden_dim=16, num_layers=1, learning_rate=5e-3, max_epochs=8)
    return searched(tmp_path_factory.mktemp("searched"), changing_snapshot, [small])


@pytest.fixture(scope="session")
def finalized(ray_local: None, searched_run: "Run") -> Path:
    """The bundle of `searched_run`."""
    from tests.service.install import install_client
    from trajtune.finalizing.run import finalize

    install_client()  # so that finalize also measures Node
    return finalize(searched_run, progress=lambda line: None)


@pytest.fixture(scope="session")
def calibration_table() -> "CalibrationTable":
    from trajtune.finalizing.calibrate.isotonic import CalibrationTable

    return CalibrationTable((0.0, 0.1, 0.1001, 0.5, 0.9), (0.0, 0.05, 0.2, 0.2, 0.95))


@pytest.fixture(scope="session")
def exported_module(calibration_table: "CalibrationTable") -> "ExportedModule":
    """An untrained network, large enough for every output to vary."""
    import torch

    from trajtune.finalizing.calibrate.conformal import TenureCorrection
    from trajtune.finalizing.calibrate.corrections import Corrections
    from trajtune.finalizing.calibrate.title_sets import SetRule
    from trajtune.finalizing.export.exported_module import ExportedModule
    from trajtune.model.network.lstm import CareerTrajectoryLSTM

    torch.manual_seed(0)
    model = CareerTrajectoryLSTM(50, 16, 8, 2).eval()
    model.tenure_mean.fill_(24.0)
    model.tenure_std.fill_(12.0)
    for parameter in model.parameters():
        parameter.data *= 3
    corrections = Corrections(
        calibration_table, TenureCorrection(0.1, -0.05), sets=SetRule(threshold=0.8, penalty=0.01)
    )
    return ExportedModule(model, 50, corrections).eval()


@pytest.fixture(scope="session")
def exported_onnx(exported_module: "ExportedModule", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX file of `exported_module`."""
    from trajtune.finalizing.export.to_onnx import export_to_onnx, simplify_onnx

    path = tmp_path_factory.mktemp("exported") / "trajectory-lstm.onnx"
    export_to_onnx(exported_module, path)
    simplify_onnx(path)
    return path
