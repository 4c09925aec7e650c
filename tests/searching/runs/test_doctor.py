"""Files of a run that disagree with its study are found, and are fixed from the study."""

from pathlib import Path

import pytest

from tests.searching.runs.created import experiment
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.space import load_space
from trajtune.model.checkpoint import save_checkpoint
from trajtune.searching.runs.create import create_run
from trajtune.searching.runs.directory import Run, open_run
from trajtune.searching.runs.doctor import examine, fix
from trajtune.searching.study.journal import JOURNAL
from trajtune.searching.study.open import create_study
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN
from trajtune.searching.study.study import ask, enqueue, tell_failed


def test_an_intact_run_has_no_findings(run: Run) -> None:
    assert examine(run) == []
    assert sorted(path.parent.name for path in run.path.rglob("*.pt")) == ["0000", "0001"]


@pytest.mark.parametrize(
    ("breaks", "what"),
    [
        (lambda run: (run.path / JOURNAL).open("a").write('{"op_code": 4, "tr'), "ends in the middle"),
        (lambda run: (run.path / f"{JOURNAL}.lock").symlink_to("x"), "left study.journal.lock"),
        (lambda run: (run.path / "trials/0009").mkdir(), "trials/0009 belongs to no trial"),
        (lambda run: (run.path / "trials/0002").mkdir(), "trials/0002 exists, but its trial is not among"),
        (lambda run: (run.path / ".tune-x").mkdir(), "left .tune-x"),
        (lambda run: (run.path / "best.json").write_text('{"number": 2}'), "best.json disagrees"),
        (lambda run: (run.path / "best.json").unlink(), "best.json disagrees"),
        (lambda run: save_checkpoint({"epoch": 1}, run.path / "trials/0001/last.pt"), "the trial has ended"),
    ],
)
def test_leftovers_of_a_kill_are_found_and_fixed(run: Run, breaks: object, what: str) -> None:
    breaks(run)  # type: ignore[operator]

    findings = examine(run)

    assert [what in finding.what for finding in findings] == [True]
    assert fix(run, findings) == []
    assert examine(run) == []


def test_a_damaged_best_checkpoint_is_found_but_cannot_be_fixed(run: Run) -> None:
    path = run.path / "trials/0001/best.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)

    findings = examine(run)

    assert [finding.what for finding in findings] == ["trials/0001/best.pt is damaged"]
    assert fix(run, findings) == findings


def test_a_running_trial_without_a_process_is_found_with_the_command_to_resume(run: Run) -> None:
    study = create_study(run.path, run.experiment.search, 50)
    ask(study, run.space, run.experiment.search, Params())

    (finding,) = examine(run)

    assert finding.what == "trials 3 are RUNNING, but no process trains them"
    assert f"`trajtune search --resume {run.path}`" in finding.remedy


def test_a_missing_snapshot_is_found(run: Run, tmp_path: Path) -> None:
    text = (run.path / "run.json").read_text().replace(str(run.snapshot_path), str(tmp_path / "gone"))
    (run.path / "run.json").write_text(text)

    (finding,) = examine(open_run(run.path))

    assert f"needs snapshot {run.snapshot_id[:16]}, but it is not at {tmp_path / 'gone'}" in finding.what


def test_a_damaged_refit_is_found_and_deleted_to_be_trained_again(run: Run) -> None:
    (run.path / "refits").mkdir()
    save_checkpoint({"epoch": 1}, run.path / "refits/intact.pt")
    (run.path / "refits/broken.pt").write_bytes(b"no checkpoint")
    (run.path / "refits/unfinished").mkdir()

    findings = examine(run)

    assert [finding.what for finding in findings] == ["refits/broken.pt is damaged"]
    assert fix(run, findings) == []
    assert examine(run) == []
    assert (run.path / "refits/intact.pt").exists()


def test_a_failed_research_default_has_no_findings(small_snapshot: Snapshot, tmp_path: Path) -> None:
    searched = experiment(tmp_path)
    space, settings = load_space("smoke"), searched.search
    path, snapshot_id = small_snapshot.path, small_snapshot.id
    run = create_run(searched, space, name="run", snapshot_path=path, snapshot_id=snapshot_id)
    study = create_study(run.path, settings, 50)
    enqueue(study, space, RESEARCH_DEFAULT, RESEARCH_DEFAULT_ORIGIN)
    tell_failed(study, ask(study, space, settings, Params()), "the loss diverged")

    assert examine(run) == []
