import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.careers import changing_careers, loaded
from tests.support.finalized import searched
from tests.support.full_disk import no_file_larger_than
from trajtune import cli
from trajtune.bundle.graph import Graph
from trajtune.bundle.manifest import REPORT
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import BundleError, RunError, SnapshotError, TrainingError
from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.experiment.settings import Experiment, FinalizeSettings
from trajtune.experiment.space import load_space
from trajtune.finalizing import choose, refit, run
from trajtune.finalizing.build import VAL, calibrate
from trajtune.finalizing.calibrate.priors import Priors
from trajtune.finalizing.evaluate.gates import not_passed
from trajtune.finalizing.evaluate.last_transitions import histories
from trajtune.finalizing.report.verdict import closing
from trajtune.finalizing.run import finalize
from trajtune.finalizing.selection import Finalist
from trajtune.finalizing.single_steps import export_checkpoint
from trajtune.finalizing.verify import verify
from trajtune.model.checkpoint import build_model, load_checkpoint, save_checkpoint
from trajtune.model.network.ngram_module import build_ngram
from trajtune.searching.runs.create import create_run
from trajtune.searching.runs.directory import Run
from trajtune.searching.study.open import create_study
from trajtune.storage.path import local_path

TRAINED = Priors((0.0, 60.0), 0.5, num_tenures=1, num_hireabilities=1)


def silent(line: str) -> None:
    pass


def test_an_existing_bundle_is_refused_before_any_work(
    searched_run: Run, finalized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "refit_all", lambda *a, **k: pytest.fail("it began to work"))
    with pytest.raises(BundleError, match="exists already. Give another path"):
        finalize(searched_run, progress=silent)


def test_a_folder_that_would_break_the_service_is_refused_before_any_work(
    searched_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "refit_all", lambda *a, **k: pytest.fail("it began to work"))
    for out in (tmp_path / "my.onnx", tmp_path / "a.onnx.d" / "bundle"):
        with pytest.raises(BundleError, match=r"a folder has `\.onnx` in its name, .* Give another"):
            finalize(searched_run, out=out, progress=silent)


def test_an_interrupted_finalize_resumes_and_a_failed_gate_exits_3_with_the_bundle_kept_and_marked(
    searched_run: Run,
    finalized: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "bundles" / "again"

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "measure_on_test", interrupted)
        with pytest.raises(KeyboardInterrupt):
            finalize(searched_run, out=out, progress=silent)
    assert list(out.parent.iterdir()) == []
    # Finished refits are reused, so nothing is trained a second time.
    monkeypatch.setattr(refit, "train_refits", lambda *a: pytest.fail("it trained again"))
    # With so few careers, some gates fail. The command runs as a user types it.
    arguments = ["trajtune", "finalize", str(searched_run.path), "--out", str(out), "--require-gates"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--json"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 3
    manifest = json.loads((out / "manifest.json").read_text())
    broken = [name for name, passed in manifest["gates"].items() if not passed]
    assert broken
    captured = capfd.readouterr()
    printed = json.loads(captured.out)
    assert printed["bundle"] == str(out)
    assert {name: gate["passed"] for name, gate in printed["gates"].items()} == manifest["gates"]
    *lines, last = captured.err.splitlines()
    gates = printed["gates"]
    assert last == f"GateError: Every gate must pass, but {not_passed(gates)}. Read {out / REPORT}."
    assert lines[-2:] == list(closing(json.loads((out / "metrics.json").read_text())))
    assert printed["verdict"] == " ".join(lines[-2:])
    for name in manifest["gates"]:
        (line,) = [line for line in lines if line.startswith(f"gate {name.replace('_', ' ')} ")]
        assert (" passed " in line) == (name not in broken)
        assert ("FAILED" in line) == (gates[name]["result"] == "failed")
        assert ("too few people" in line) == (gates[name]["result"] == "too few people")
        assert "(at most " in line or "(above " in line or "must be visible)" in line
    assert manifest["gates_passed"] is False
    assert verify(out)["gates_passed"] is False
    assert (out / "evaluation_report.md").read_text().splitlines()[2].startswith("**Do not ship")
    for name in (
        "trajectory-lstm.onnx",
        "trajectory-lstm-vocab.json",
        "calibrator.pkl",
        "best.pt",
        "probes.json",
    ):
        assert (out / name).read_bytes() == (finalized / name).read_bytes()


def test_a_full_disk_is_a_one_line_error_and_leaves_nothing(
    searched_run: Run, finalized: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundles" / "full"
    with (
        no_file_larger_than(20_000),
        pytest.raises(
            BundleError,
            match=r"Cannot write .*full: .*\. No file was left behind\. Fix this and try again\.$",
        ),
    ):
        finalize(searched_run, out=out, progress=silent)
    assert list(out.parent.iterdir()) == []


def test_a_val_split_too_small_is_refused_before_anything_is_refitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"storage": {"snapshots": str(tmp_path)}, "split": {"by": "career"}}
    experiment = validate(Experiment, settings, "test")
    few = searched(tmp_path, snapshot_of(loaded(changing_careers(150)), experiment), [])
    monkeypatch.setattr(choose, "refit_all", lambda *a, **k: pytest.fail("it began to work"))
    with pytest.raises(TrainingError, match="at least 30 examples in val, but there are 2"):
        finalize(few, progress=silent)
    assert not (tmp_path / "bundles").exists()


def test_a_snapshot_of_another_run_is_refused(
    tmp_path: Path, changing_snapshot: Snapshot, ladder_snapshot: Snapshot
) -> None:
    found = searched(tmp_path, changing_snapshot, [])
    manifest = {**found.manifest, "snapshot": {"path": str(ladder_snapshot.path), "id": changing_snapshot.id}}
    with pytest.raises(SnapshotError, match="needs snapshot .* Give the run's snapshot with --snapshot"):
        finalize(Run(found.path, found.experiment, found.space, manifest), progress=silent)
    assert not (tmp_path / "bundles").exists()


@pytest.mark.parametrize(("seeds", "is_refitted"), [(1, False), (2, True)])
def test_the_research_default_is_refitted_too_unless_there_is_one_seed(
    tmp_path: Path,
    changing_snapshot: Snapshot,
    monkeypatch: pytest.MonkeyPatch,
    seeds: int,
    is_refitted: bool,
) -> None:
    found = searched(tmp_path, changing_snapshot, [], seeds=seeds)
    trained = found.path / "trials" / "0000" / "best.pt"
    trained.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint({"epoch": 1}, trained)

    def stop(chosen: list[Finalist], *args: object, **kwargs: object) -> None:
        assert (chosen[0].name, chosen[0].searched) == ("research default", None if is_refitted else trained)
        raise KeyboardInterrupt

    monkeypatch.setattr(choose, "refit_all", stop)
    with pytest.raises(KeyboardInterrupt):
        finalize(found, progress=silent)


def of_snapshot(run: Run, path: Path) -> Run:
    """Return the same run and its refits with a copy of its snapshot."""
    manifest = {**run.manifest, "snapshot": {**run.manifest["snapshot"], "path": str(path)}}
    return Run(run.path, run.experiment, run.space, manifest)


def finalizing(run: Run, **settings: object) -> Run:
    """Return the same run and its refits with other settings of finalize."""
    changed = run.experiment.finalize.model_copy(update=settings)
    experiment = run.experiment.model_copy(update={"finalize": changed})
    return Run(run.path, experiment, run.space, run.manifest)


def test_nothing_reads_the_test_split_before_the_evaluation(
    searched_run: Run,
    finalized: Path,
    changing_snapshot: Snapshot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "snapshot"
    shutil.copytree(local_path(changing_snapshot.path), copy)
    for file in copy.rglob("test/careers.parquet"):
        file.unlink()

    def reached(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    run_without_test = of_snapshot(searched_run, copy)
    with monkeypatch.context() as patch:
        patch.setattr(run, "measure_on_test", reached)
        with pytest.raises(KeyboardInterrupt):
            finalize(run_without_test, out=tmp_path / "bundle", progress=silent)
    with pytest.raises(SnapshotError, match="lacks .*refit/test/careers"):
        finalize(run_without_test, out=tmp_path / "bundle", progress=silent)


def test_the_winner_is_calibrated_on_the_window_and_trained_on_what_was_known_before_it(
    finalized: Path, changing_snapshot: Snapshot, metrics: dict, tmp_path: Path
) -> None:
    refit_on, window = changing_snapshot.refit, changing_snapshot.refit.read("val")
    manifest = json.loads((finalized / "manifest.json").read_text())
    first_day = refit_on.manifest["cutoffs"]["train"]
    assert first_day > changing_snapshot.manifest["cutoffs"]["train"]
    assert window.arrays.num_careers < changing_snapshot.read("val").arrays.num_careers
    assert metrics["calibration"]["num_examples"] == window.arrays.num_careers
    assert metrics["calibration"]["fitted_on"] == "the calibration window"
    assert metrics["cutoffs"] == {**changing_snapshot.manifest["cutoffs"], "calibration": first_day}
    assert (manifest["refit_on"], manifest["cutoffs"]) == ("known", metrics["cutoffs"])
    refit_on.encoder().save(tmp_path / "vocabulary.json")
    vocabulary = (tmp_path / "vocabulary.json").read_bytes()
    assert (finalized / "trajectory-lstm-vocab.json").read_bytes() == vocabulary
    model = build_model(load_checkpoint(finalized / "best.pt"))
    table = calibrate(model, window, FinalizeSettings(), VAL, TRAINED).table
    assert table.to_json() == json.loads((finalized / "trajectory-lstm-calibration.json").read_text())
    report = (finalized / "evaluation_report.md").read_text()
    card = (finalized / "MODEL_CARD.md").read_text()
    for text in (report, card):
        assert f"trained again on everything known before {first_day}" in text
        assert "people whose next title both know" in text
        assert "as selected" in text


def test_with_refit_on_train_the_bundle_has_the_selected_refits(
    searched_run: Run, finalized: Path, changing_snapshot: Snapshot, tmp_path: Path, metrics: dict
) -> None:
    bundle = finalize(finalizing(searched_run, refit_on="train"), out=tmp_path / "bundle", progress=silent)
    found = json.loads((bundle / "metrics.json").read_text())
    val = changing_snapshot.read("val")
    assert (found["refit_on"], found["as_selected"]) == ("train", None)
    assert found["cutoffs"] == changing_snapshot.manifest["cutoffs"]
    assert found["calibration"]["num_examples"] == val.arrays.num_careers
    changing_snapshot.encoder().save(tmp_path / "v.json")
    assert (bundle / "trajectory-lstm-vocab.json").read_bytes() == (tmp_path / "v.json").read_bytes()
    model = build_model(load_checkpoint(bundle / "best.pt"))
    calibrated = calibrate(model, val, FinalizeSettings(), VAL, TRAINED)
    assert calibrated.table.to_json() == json.loads((bundle / "trajectory-lstm-calibration.json").read_text())
    assert calibrated.record["tenure_correction"] == found["calibration"]["tenure_correction"]
    for name in ("top1", "top5", "mrr", "nll"):
        as_selected = metrics["as_selected"][name]
        assert found["test"][f"next_role_{name}"] == pytest.approx(as_selected, rel=1e-5)
    assert "As selected" not in (bundle / "evaluation_report.md").read_text()
    assert (found["winner"], found["refits"]) == (metrics["winner"], metrics["refits"])


def test_the_best_trainings_are_averaged_in_the_bundle(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Params(hidden_dim=16, embedding_dim=32, num_layers=1, max_epochs=1, batch_size=128)
    in_a_moment = small.model_copy(update={"repeat_gate": False})
    monkeypatch.setattr(refit, "RESEARCH_DEFAULT", in_a_moment)
    found = searched(tmp_path, changing_snapshot, [small], seeds=2)
    lines: list[str] = []
    bundle = finalize(found, progress=lines.append)
    metrics = json.loads((bundle / "metrics.json").read_text())
    name, averaged = metrics["winner"]["name"], metrics["winner"]["networks"]
    assert averaged[0]["name"] == name
    first, second = (f"{each['name']} with seed {each['seed']}" for each in averaged)
    assert f"{name} is best on val; exporting the mean of {first} and {second}" in lines
    assert sum(" on everything known, seed " in line and line.startswith("trained ") for line in lines) == 2
    assert metrics["export"]["num_bytes"] == (bundle / "trajectory-lstm.onnx").stat().st_size
    assert verify(bundle)["probes"] == 64

    state = load_checkpoint(bundle / "best.pt")
    networks = [member for member in state["members"] if "seed" in member]
    assert [(member["seed"], member["epoch"]) for member in networks] == [
        (each["seed"], each["epoch"]) for each in averaged
    ]
    share = metrics["ngram_share"]
    assert metrics["history"] == {"careers": 0, "roles": 0}
    assert len(state["members"]) == len(networks) + (share > 0)
    assert share > 0, "networks of one epoch are worse than counting here"
    members = [build_model(member) for member in networks]
    counts = build_ngram(state["members"][-1])
    graph = Graph(bundle / "trajectory-lstm.onnx")
    window = changing_snapshot.refit.read("val")
    calibrated = calibrate(
        build_model(state), window, FinalizeSettings(), VAL, TRAINED
    ).corrections.hireability
    for career in histories(window, 20):
        ids, lengths = career[None], np.array([len(career)])
        with torch.no_grad():
            predicted = [member(torch.from_numpy(ids), torch.from_numpy(lengths)) for member in members]
            counted = counts(torch.from_numpy(ids), torch.from_numpy(lengths))[0].exp().numpy()
        mean = (1 - share) * np.mean([logits.softmax(1).numpy() for logits, _, _ in predicted], 0)
        mean += share * counted
        outputs = graph.run(ids, lengths)
        np.testing.assert_allclose(np.exp(outputs["next_role_logits"]), mean, rtol=1e-4, atol=1e-7)
        hireability = np.mean([output[2].numpy() for output in predicted], 0)
        expected = hireability if calibrated is None else calibrated(hireability)
        np.testing.assert_allclose(outputs["hireability"], expected, rtol=1e-4)
    vocabulary = bundle / "trajectory-lstm-vocab.json"
    assert export_checkpoint(bundle / "best.pt", vocabulary, tmp_path / "x.onnx")["opset"] == 17
    alone = finalize(finalizing(found, export="best_seed"), out=tmp_path / "alone", progress=silent)
    winner = json.loads((alone / "metrics.json").read_text())["winner"]
    assert [each["name"] for each in winner["networks"]] == [winner["name"]]
    assert "members" not in load_checkpoint(alone / "best.pt")


def test_a_run_without_a_result_is_refused(tmp_path: Path, changing_snapshot: Snapshot) -> None:
    place = {name: str(tmp_path / name) for name in ("snapshots", "runs", "bundles")}
    experiment = validate(Experiment, {"storage": place}, "test")
    origin = {"snapshot_path": changing_snapshot.path, "snapshot_id": changing_snapshot.id}
    found = create_run(experiment, load_space("smoke"), name="empty", **origin)
    create_study(found.path, experiment.search, experiment.training.max_epochs)
    with pytest.raises(RunError, match="no finished trial yet"):
        finalize(found, progress=silent)
