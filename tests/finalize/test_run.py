import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import loaded
from tests.support.finalized import changing_careers, searched
from trajtune import cli
from trajtune.bundle.bundle import load_bundle, manifest_sha256, sha256
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import openings
from trajtune.errors import BundleError, RunError, SnapshotError, TrainingError
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import Experiment
from trajtune.finalize import refit, run
from trajtune.finalize.bundle_directory import FILES, bundle_directory
from trajtune.finalize.report.text import verdict
from trajtune.finalize.run import finalize
from trajtune.finalize.verify import verify
from trajtune.model.checkpoint import load_checkpoint
from trajtune.model.network.title_vectors import words_of
from trajtune.model.training.fit import fit
from trajtune.search.runs.directory import Run
from trajtune.search.trial import train_trial

pytestmark = pytest.mark.slow


def silent(line: str) -> None:
    pass


@pytest.fixture(scope="session")
def metrics(finalized: Path) -> dict:
    def refuse(constant: str) -> None:
        raise AssertionError(f"metrics.json holds {constant}")

    return json.loads((finalized / "metrics.json").read_text(), parse_constant=refuse)


def test_a_bundle_holds_exactly_these_files(finalized: Path) -> None:
    assert sorted(file.name for file in finalized.iterdir()) == [
        "MODEL_CARD.md",
        "best.pt",
        "calibrator.pkl",
        "evaluation_report.md",
        "manifest.json",
        "metrics.json",
        "probes.json",
        "report.html",
        "trajectory-lstm-calibration.json",
        "trajectory-lstm-vocab.json",
        "trajectory-lstm.onnx",
    ]
    assert [file.name for file in finalized.parent.iterdir()] == [finalized.name]


def test_the_manifest_holds_the_hash_of_every_other_file(finalized: Path) -> None:
    manifest = json.loads((finalized / "manifest.json").read_text())
    others = {file.name: sha256(file) for file in finalized.iterdir() if file.name != "manifest.json"}
    assert manifest["files"] == others
    assert manifest["source"]["kind"] == "test"
    assert manifest["schema_version"] == 1
    assert set(manifest["versions"]) >= {"torch", "onnx", "onnxruntime"}


def test_metrics_hold_what_the_specification_names(metrics: dict) -> None:
    assert {"source", "snapshot", "params", "research_default_params", "gates"} <= set(metrics)
    assert {
        "num_examples",
        "num_unseen_targets",
        "next_role_top1",
        "next_role_top5",
        "next_role_mrr",
        "next_role_nll",
        "tenure_mae_months",
        "hireability_auc",
        "ece_raw",
        "ece",
        "brier_raw",
        "brier",
    } <= set(metrics["test"])
    assert {"num", "top1", "top5", "same_title_rate", "one_step_lag_detected"} <= set(
        metrics["career_changers"]
    )
    assert set(metrics["baselines"]) == {"majority", "current_title", "markov", "markov2"}
    for baseline in metrics["baselines"].values():
        assert {"top1", "top5", "nll"} <= set(baseline)
    assert {"opset", "parity_max_abs_error", "num_nodes"} <= set(metrics["export"])
    assert metrics["career_changers"]["num"] > 10
    assert metrics["career_changers"]["one_step_lag_detected"] is False


def test_every_null_has_a_reason_beside_it(metrics: dict) -> None:
    assert metrics["bayes_limit"] is None
    assert metrics["bayes_limit_reason"]
    for name, value in metrics["test"].items():
        if value is None:
            assert metrics["test"][f"{name}_reason"]


def test_every_gate_has_value_limit_and_result(metrics: dict, finalized: Path) -> None:
    names = {"calibration", "tenure_coverage", "latency", "one_step_lag", "beats_baselines", "parity"}
    assert set(metrics["gates"]) == names
    for gate in metrics["gates"].values():
        assert {"value", "limit", "passed"} <= set(gate)
    manifest = json.loads((finalized / "manifest.json").read_text())
    assert manifest["gates"] == {name: gate["passed"] for name, gate in metrics["gates"].items()}
    assert metrics["gates"]["latency"]["passed"]
    assert metrics["gates"]["parity"]["passed"]


def test_the_report_begins_with_the_verdict(finalized: Path) -> None:
    report = (finalized / "evaluation_report.md").read_text()
    assert re.match(r"# Evaluation of searched\n\n\*\*(Ship|Do not ship)", report)
    assert "has been opened for the first time" in report
    assert "nan" not in report.lower().split()


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ({"gain": 0.1, "low": 0.05, "high": 0.15}, None),
        ({"gain": -0.1, "low": -0.15, "high": -0.05}, None),
        (
            {"gain": 0.02, "low": -0.02, "high": 0.06},
            "between -2.0 and +6.0 points (95 %). If it is what it seems, about 400 would tell.",
        ),
        ({"gain": 0.0, "low": -0.1, "high": 0.1}, "between -10.0 and +10.0 points (95 %)."),
    ],
    ids=["better", "worse", "perhaps better", "equal"],
)
def test_the_verdict_says_when_people_are_too_few_to_tell(
    gain: dict, said: str | None, metrics: dict
) -> None:
    best = max(metrics["baselines"], key=lambda name: metrics["baselines"][name]["top1"])
    people = {**metrics["test"], "num_examples": 100}
    gains = {**metrics["gains"], best: {**metrics["gains"][best], "top1": gain}}
    sentence = verdict({**metrics, "test": people, "gains": gains})
    if said is None:
        assert "too few" not in sentence
    else:
        assert f"100 people are too few to tell the two apart: the difference is {said}" in sentence


def test_gains_hold_their_own_interval(metrics: dict) -> None:
    for found in metrics["gains"].values():
        for gain in found.values():
            assert gain["low"] <= gain["gain"] <= gain["high"]
    ours, majority = metrics["test"], metrics["baselines"]["majority"]
    assert metrics["gains"]["majority"]["top1"]["gain"] == pytest.approx(
        ours["next_role_top1"] - majority["top1"]
    )
    assert metrics["gains"]["majority"]["nll"]["gain"] == pytest.approx(
        majority["nll"] - ours["next_role_nll"]
    )


def test_segments_part_everybody(metrics: dict) -> None:
    for rows in metrics["segments"].values():
        assert sum(row["num"] for row in rows) == metrics["test"]["num_examples"]
        assert sum(row["num"] * row["top1"] for row in rows) == pytest.approx(
            metrics["test"]["num_examples"] * metrics["test"]["next_role_top1"]
        )


def test_baselines_stand_beside_every_number(metrics: dict) -> None:
    everybody = metrics["test"]["num_examples"]
    for name, baseline in {**metrics["baselines"], "research_default": metrics["research_default"]}.items():
        low, high = baseline["top1_interval"]
        assert low <= baseline["top1"] <= high
        assert baseline["num_tenures"] == metrics["test"]["num_tenures"]
        assert baseline["tenure_mae_months"] > 0
        assert 0 <= baseline["hireability_auc"] <= 1
        changers = baseline["career_changers"]
        assert changers["num"] == metrics["career_changers"]["num"]
        assert changers["everybody"]["num"] == everybody
        for rows in metrics["segments"].values():
            top1 = sum(row["num"] * row["others"][name]["top1"] for row in rows) / everybody
            assert top1 == pytest.approx(baseline["top1"])
    assert metrics["baselines"]["current_title"]["career_changers"]["same_title_rate"] == 1


def test_hireability_says_how_far_it_is_from_calibrated(metrics: dict) -> None:
    bins, test = metrics["reliability"]["hireability"], metrics["test"]
    assert sum(row["num"] for row in bins) == test["num_hireabilities"]
    gaps = sum(row["num"] * abs(row["confidence"] - row["accuracy"]) for row in bins)
    assert test["hireability_ece"] == pytest.approx(gaps / test["num_hireabilities"])


def test_test_was_opened_once_and_the_ledger_knows(finalized: Path, changing_snapshot: Snapshot) -> None:
    first = openings(changing_snapshot)[0]
    assert (first["run"], first["purpose"]) == ("searched", "finalize")


def test_a_bundle_in_the_way_is_refused_before_any_work(
    searched_run: Run, finalized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "refit_all", lambda *a, **k: pytest.fail("it began to work"))
    with pytest.raises(BundleError, match="never overwritten. Give another --out"):
        finalize(searched_run, progress=silent)


def test_an_interrupted_finalize_goes_on_and_a_failed_gate_exits_3_with_the_bundle_kept_and_marked(
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
    # What was refitted before is found again: nothing is trained a second time.
    monkeypatch.setattr(refit, "train_refits", lambda *a: pytest.fail("it trained again"))
    # So few careers fail gates without any help; as the command is typed.
    arguments = ["trajtune", "finalize", str(searched_run.path), "--out", str(out), "--require-gates"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--json"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 3
    manifest = json.loads((out / "manifest.json").read_text())
    broken = [name for name, passed in manifest["gates"].items() if not passed]
    assert broken
    said = capfd.readouterr()
    printed = json.loads(said.out)
    assert printed["bundle"] == str(out)
    assert {name: gate["passed"] for name, gate in printed["gates"].items()} == manifest["gates"]
    *lines, last = said.err.splitlines()
    assert last.startswith(f"GateError: Every gate must pass, but {', '.join(broken)} did not. Read ")
    for name in manifest["gates"]:
        (line,) = [line for line in lines if line.startswith(f"gate {name.replace('_', ' ')} ")]
        assert ("FAILED" in line) == (name in broken)
        assert "(limit " in line
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


@contextmanager
def no_file_larger_than(num_bytes: int) -> Iterator[None]:
    """The kernel refuses writes, as it does on a full disk; for this process alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_leaves_nothing(
    searched_run: Run, finalized: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundles" / "full"
    with (
        no_file_larger_than(20_000),
        pytest.raises(BundleError, match=r"Cannot write .*full: .*\. Nothing was left there\.$"),
    ):
        finalize(searched_run, out=out, progress=silent)
    assert list(out.parent.iterdir()) == []


def test_what_a_killed_finalize_left_is_removed_by_the_next(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for number in (dead.pid, os.getppid()):
        (tmp_path / f".b.new-{number}").mkdir()
    with bundle_directory(tmp_path / "b") as folder:
        (folder / "x").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".b.new-{os.getppid()}", "b"]


def test_refits_resume_and_give_the_same_bytes_and_a_full_disk_is_one_line(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    small = refit.Finalist("trial 1", Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=1), 2.0)
    said: list[str] = []

    def refitted() -> list[refit.Refit]:
        said.clear()
        return refit.refit_all([small], [0, 1], changing_snapshot, tmp_path, progress=said.append)

    first, second = (found.checkpoint for found in refitted())
    assert first
    assert second
    before = first.read_bytes()
    assert before != second.read_bytes()
    first.unlink()
    with no_file_larger_than(2_000), pytest.raises(TrainingError, match="what is refitted is kept"):
        refitted()
    trained = first.with_suffix("")
    assert set(tmp_path.iterdir()) == {second, trained}
    refitted()
    assert set(tmp_path.iterdir()) == {first, second}
    assert said == ["refitted trial 1, seed 0 (2 of 2)"]
    assert first.read_bytes() == before


def refitted(finalist: refit.Finalist, snapshot: Snapshot, folder: Path, said: list[str]) -> Path:
    """One refit with seed 0, and where it is kept."""
    (found,) = refit.refit_all([finalist], [0], snapshot, folder, progress=said.append)
    assert isinstance(found.checkpoint, Path)
    return found.checkpoint


def begun(finalist: refit.Finalist, snapshot: Snapshot, folder: Path) -> Iterator[dict[str, Any]]:
    """What a worker does that is killed in the middle."""
    encoder = snapshot.encoder()
    return train_trial(
        *(finalist.params, snapshot.read("train").arrays, snapshot.read("val").arrays, encoder.vocab_size),
        folder,
        title_words=words_of(encoder),
        metric=finalist.metric,
        seed=0,
    )


def test_a_refit_that_was_killed_goes_on_after_its_last_epoch(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=4, schedule="constant")
    finalist = refit.Finalist("trial 1", params, 2.0)
    uninterrupted = refitted(finalist, changing_snapshot, tmp_path / "whole", [])
    in_progress = tmp_path / "killed" / uninterrupted.stem
    epochs = begun(finalist, changing_snapshot, in_progress)
    seconds = [next(epochs)["seconds"] for _ in range(3)]

    with monkeypatch.context() as patched:
        patched.setattr(refit, "remove_tree", lambda path: None)
        resumed = refitted(finalist, changing_snapshot, tmp_path / "killed", [])
    reports = load_checkpoint(in_progress / "last.pt")["reports"]
    assert [report["seconds"] for report in reports][:3] == seconds, "they were trained again"
    assert len(reports) == 4
    assert resumed.read_bytes() == uninterrupted.read_bytes()


def test_a_damaged_checkpoint_of_a_refit_is_said_and_made_up_for(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    params = Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=2)
    finalist = refit.Finalist("trial 1", params, 2.0)
    uninterrupted = refitted(finalist, changing_snapshot, tmp_path / "whole", [])
    in_progress = tmp_path / "killed" / uninterrupted.stem

    next(begun(finalist, changing_snapshot, in_progress))
    (in_progress / "last.pt").write_bytes(b"damaged")
    said: list[str] = []
    again = refitted(finalist, changing_snapshot, tmp_path / "killed", said)
    assert again.read_bytes() == uninterrupted.read_bytes()
    assert said[0] == "trial 1, seed 0: damaged: last.pt; training began again"

    again.unlink()
    for _ in begun(finalist, changing_snapshot, in_progress):
        pass
    (in_progress / "best.pt").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match=r"It is deleted\. Finalize again; what is refitted is kept"):
        refitted(finalist, changing_snapshot, tmp_path / "killed", [])
    again = refitted(finalist, changing_snapshot, tmp_path / "killed", [])
    assert again.read_bytes() == uninterrupted.read_bytes()


def test_a_refit_is_kept_at_the_best_epoch_of_the_searchs_metric(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    params = Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=6, learning_rate=0.02)
    finalist = refit.Finalist("trial 1", params, 0.5, metric="val_top1")
    train, val = changing_snapshot.read("train").arrays, changing_snapshot.read("val").arrays
    encoder = changing_snapshot.encoder()
    (found,) = refit.refit_all([finalist], [0], changing_snapshot, tmp_path)
    of_epochs = [
        result.metrics["val_top1"]
        for result in fit(params, train, val, encoder.vocab_size, seed=0, title_words=words_of(encoder))
    ]
    assert found.metrics["val_top1"] == max(value for value in of_epochs if value is not None)
    assert found.epoch == of_epochs.index(found.metrics["val_top1"]) + 1


def test_a_val_split_too_small_is_refused_before_anything_is_refitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = validate(Experiment, {"storage": {"snapshots": str(tmp_path)}}, "test")
    few = searched(tmp_path, snapshot_of(loaded(changing_careers(150)), experiment), [])
    monkeypatch.setattr(run, "refit_all", lambda *a, **k: pytest.fail("it began to work"))
    with pytest.raises(TrainingError, match="at least 30 examples of val, but there are 2"):
        finalize(few, progress=silent)
    assert not (tmp_path / "bundles").exists()


def test_another_snapshot_than_the_runs_is_refused(
    tmp_path: Path, changing_snapshot: Snapshot, ladder_snapshot: Snapshot
) -> None:
    found = searched(tmp_path, changing_snapshot, [])
    manifest = {**found.manifest, "snapshot": {"path": str(ladder_snapshot.path), "id": changing_snapshot.id}}
    with pytest.raises(SnapshotError, match="searched on snapshot .* Put the run's snapshot back"):
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
    trained.touch()

    def stop(chosen: list[refit.Finalist], *args: object, **kwargs: object) -> None:
        assert (chosen[0].name, chosen[0].searched) == ("research default", None if is_refitted else trained)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "refit_all", stop)
    with pytest.raises(KeyboardInterrupt):
        finalize(found, progress=silent)


def test_a_run_without_a_result_is_refused(tmp_path: Path, changing_snapshot: Snapshot) -> None:
    found = searched(tmp_path, changing_snapshot, [])
    (found.path / "best.json").unlink()
    with pytest.raises(RunError, match="no finished trial yet"):
        finalize(found, progress=silent)


def test_a_configuration_that_breaks_is_reported_and_not_chosen(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    finalists = [
        refit.Finalist("trial 1", Params(learning_rate=1e6, hidden_dim=4, embedding_dim=8), 0.1),
        refit.Finalist("trial 2", Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=1), 2.0),
    ]
    refits = refit.refit_all(finalists, [0, 1], changing_snapshot, tmp_path)
    assert [(r.finalist.name, r.seed) for r in refits] == [
        ("trial 1", 0),
        ("trial 1", 1),
        ("trial 2", 0),
        ("trial 2", 1),
    ]
    assert "Training needs a loss below" in (refits[0].error or "")
    assert refit.winner(refits).name == "trial 2"
    assert refit.selection(refits)["trial 1"] == {"mean": None, "spread": None, "search_value": 0.1}
    with pytest.raises(TrainingError, match="No configuration could be refitted: Training needs"):
        refit.winner(refits[:2])


def test_the_winner_has_the_least_mean_over_seeds_and_its_best_seed_is_exported(tmp_path: Path) -> None:
    def made(name: str, seed: int, value: float) -> refit.Refit:
        finalist = refit.Finalist(name, Params(), None)
        return refit.Refit(finalist, seed, tmp_path / "x.pt", 1, {"val_next_role_nll": value}, None)

    refits = [made("a", 0, 1.0), made("a", 1, 3.0), made("b", 0, 1.9), made("b", 1, 1.7)]
    assert refit.winner(refits).name == "b"
    assert refit.best_seed(refits, refit.winner(refits)).seed == 1
    assert refit.selection(refits)["a"]["spread"] == 2.0


def test_the_winner_is_best_in_what_was_searched_for_and_keeps_the_constraints(tmp_path: Path) -> None:
    def made(name: str, top1: float, *, may_win: bool = True) -> refit.Refit:
        finalist = refit.Finalist(name, Params(), 0.5, metric="val_top1", may_win=may_win)
        metrics = {"val_next_role_nll": top1, "val_top1": top1}
        return refit.Refit(finalist, 0, tmp_path / "x.pt", 1, metrics, None)

    refits = [made("research default", 0.9, may_win=False), made("a", 0.3), made("b", 0.4)]
    assert refit.winner(refits).name == "b"
    assert refit.selection(refits)["b"] == {"mean": 0.4, "spread": 0.0, "search_value": 0.5}


def test_the_finalists_are_different_configurations_with_the_research_default_first() -> None:
    best = [(0, RESEARCH_DEFAULT.model_dump(mode="json"), 1.0), (3, {"dropout": 0.2}, 1.1)]
    found = refit.finalists(best, 1.0)
    assert [finalist.name for finalist in found] == ["research default", "trial 3"]


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_verify_names_any_file_that_was_tampered_with(finalized: Path, tmp_path: Path, name: str) -> None:
    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    if name == "manifest.json":
        manifest = json.loads((copied / name).read_text())
        (copied / name).write_text(json.dumps({**manifest, "gates_passed": not manifest["gates_passed"]}))
    else:
        content = bytearray((copied / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copied / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"is not what was written: {re.escape(name)} was altered\."):
        verify(copied)


def test_verify_names_every_file_that_is_not_as_it_was(finalized: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    assert verify(copied)["max_abs_error"] < 1e-5
    (copied / "metrics.json").write_text("{}")
    (copied / "best.pt").unlink()
    with pytest.raises(BundleError, match="best.pt is missing, metrics.json was altered"):
        verify(copied)


def test_verify_asks_the_graph_and_not_only_the_hashes(finalized: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    probes = json.loads((copied / "probes.json").read_text())
    probes["expected"][5]["tenure_pred"][1] += 1
    (copied / "probes.json").write_text(json.dumps(probes))
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["files"]["probes.json"] = sha256(copied / "probes.json")
    manifest["manifest_sha256"] = manifest_sha256(manifest)
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="probe career 6 is not answered as by torch"):
        verify(copied)


def test_probe_careers_are_nobodys(finalized: Path, changing_snapshot: Snapshot) -> None:
    probes = json.loads((finalized / "probes.json").read_text())["careers"]
    encoder = load_bundle(finalized).encoder
    real = {tuple(map(encoder.encode, career)) for career in changing_snapshot.read("val").titles.to_pylist()}
    long_ones = [career for career in probes if len(career) > 2]
    assert not [career for career in long_ones if tuple(map(encoder.encode, career)) in real]
