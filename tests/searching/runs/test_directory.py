"""A run is opened by its name, by its path, or as the latest run."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.searching.runs.created import create, experiment
from trajtune.errors import RunError
from trajtune.experiment.load import load_yaml
from trajtune.experiment.space import Space, load_space
from trajtune.searching.runs import directory
from trajtune.searching.runs.directory import open_run


def test_a_run_opens_as_it_was_created(tmp_path: Path) -> None:
    run = create(tmp_path, "mine")

    assert open_run(run.path) == run
    assert open_run("mine", run.experiment.storage) == run
    assert open_run(None, run.experiment.storage) == run
    assert (run.snapshot_id, run.requested) == ("abc", 50)


def test_a_missing_run_is_refused_with_the_names_of_existing_runs(tmp_path: Path) -> None:
    storage = experiment(tmp_path).storage
    with pytest.raises(RunError, match="There is no run in"):
        open_run(None, storage)
    create(tmp_path, "mine")
    with pytest.raises(RunError, match="No run yours in .* Existing runs: mine"):
        open_run("yours", storage)


def test_a_run_without_a_result_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="`trajtune search --resume .*/runs/mine`"):
        create(tmp_path, "mine").best()


def test_a_number_that_is_not_finite_is_read_back_from_the_best_trial(tmp_path: Path) -> None:
    run = create(tmp_path, "mine")
    run.write_best({"number": 0, "metrics": {"val_tenure_mae_months": float("inf")}})
    assert run.best()["metrics"] == {"val_tenure_mae_months": float("inf")}


def test_a_damaged_best_json_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    run = create(tmp_path, "mine")
    (run.path / "best.json").write_text('{"number": 0, "par')
    with pytest.raises(
        RunError, match=r"best.json is damaged. `trajtune doctor .* --repair` writes it again"
    ):
        run.best()


def test_damaged_baselines_are_treated_as_missing(tmp_path: Path) -> None:
    run = create(tmp_path, "mine")
    (run.path / "baselines.json").write_text('{"ngram": ')
    assert (run.baselines(), run.ngram_choice()) == ({}, None)


@pytest.mark.parametrize("name", ["experiment.yaml", "space.yaml"])
def test_a_run_whose_settings_were_altered_is_refused(tmp_path: Path, name: str) -> None:
    run = create(tmp_path, "mine")
    with (run.path / name).open("a") as file:
        file.write("# a comment\n")
    with pytest.raises(RunError, match=rf"{name} must not change after the run began, but its sha256 is"):
        open_run(run.path)
    (run.path / name).unlink()
    with pytest.raises(RunError, match=rf"{name}, but it is missing"):
        open_run(run.path)


def test_a_run_of_an_earlier_version_has_no_hashes_and_opens(tmp_path: Path) -> None:
    run = create(tmp_path, "mine")
    manifest = json.loads((run.path / "run.json").read_text("utf-8"))
    assert set(manifest.pop("files")) == {"experiment.yaml", "space.yaml"}
    (run.path / "run.json").write_text(json.dumps(manifest), "utf-8")
    assert open_run(run.path).experiment == run.experiment


def test_a_changed_space_is_written_with_its_hash(tmp_path: Path) -> None:
    run = create(tmp_path, "mine")
    wide = load_space("wide")
    changed = run.with_space(wide, since=7)
    opened = open_run(run.path)
    assert (opened, opened.space, opened.space_since) == (changed, wide, 7)
    assert (run.space_since, open_run(run.path).manifest["space"]["since"]) == (None, 7)
    assert Space.model_validate(load_yaml(run.path / "space.yaml")) == wide
    with (run.path / "space.yaml").open("a") as file:
        file.write("# a comment\n")
    with pytest.raises(RunError, match=r"space\.yaml must not change after the run began"):
        open_run(run.path)


def test_a_process_that_dies_while_it_changes_the_space_leaves_a_run_with_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create(tmp_path, "mine")
    before = (run.path / "space.yaml").read_bytes()
    wide = load_space("wide")
    with monkeypatch.context() as patch:
        patch.setattr(directory, "write_file", Mock(side_effect=InterruptedError))
        with pytest.raises(InterruptedError):
            run.with_space(wide, since=7)
    assert (run.path / "space.yaml").read_bytes() == before
    opened = open_run(run.path)
    assert opened.space == wide
    opened.write_space()
    assert Space.model_validate(load_yaml(run.path / "space.yaml")) == wide
    assert open_run(run.path) == opened
