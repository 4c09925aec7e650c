import json
import sys
from pathlib import Path

import pytest

from tests.support.careers import changing_careers, loaded
from tests.support.finalized import searched
from tests.support.full_disk import no_file_larger_than
from trajtune import cli
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import BundleError, RunError, SnapshotError, TrainingError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.finalize import refit, run
from trajtune.finalize.run import finalize
from trajtune.finalize.selection import Finalist
from trajtune.finalize.verify import verify
from trajtune.search.runs.directory import Run


def silent(line: str) -> None:
    pass


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


def test_a_val_split_too_small_is_refused_before_anything_is_refitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"storage": {"snapshots": str(tmp_path)}, "split": {"by": "career"}}
    experiment = validate(Experiment, settings, "test")
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

    def stop(chosen: list[Finalist], *args: object, **kwargs: object) -> None:
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
