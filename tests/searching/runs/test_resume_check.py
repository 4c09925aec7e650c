"""A run is resumed only if its new trials are comparable with its old ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.searching.runs.created import create, experiment
from trajtune.errors import RunError
from trajtune.experiment.space import Space, load_space
from trajtune.searching.runs.directory import open_run
from trajtune.searching.runs.resume_check import (
    Expected,
    changed_settings,
    check_resumable,
    differences,
    space_changes,
)


def test_the_same_snapshot_versions_and_settings_are_resumable(tmp_path: Path) -> None:
    run = create(tmp_path)
    check_resumable(run)
    check_resumable(run, Expected(experiment(tmp_path), run=run.name, space="smoke", snapshot_id="abc"))


def test_another_number_of_trials_is_resumable(tmp_path: Path) -> None:
    check_resumable(create(tmp_path), Expected(experiment(tmp_path, trials=99, max_concurrent=3)))


def test_every_harmful_difference_is_named_whatever_is_forced(tmp_path: Path) -> None:
    changed = experiment(tmp_path, seed=7, start_points=[{"learning_rate": 0.001}])
    with pytest.raises(
        RunError, match=r"comparable: snapshot abc → def, search\.seed 0 → 7, search\.start_points .*\. Undo"
    ):
        check_resumable(create(tmp_path), Expected(changed, snapshot_id="def"), force=True)


def test_another_version_needs_force(tmp_path: Path) -> None:
    run = create(tmp_path)
    older = replace(run, manifest={**run.manifest, "versions": {**run.manifest["versions"], "torch": "1.0"}})

    (change,) = differences(older, Expected())
    assert (change.what, change.before, change.harmless) == ("torch", "1.0", True)
    with pytest.raises(RunError, match=r"other versions: torch 1\.0 → .* or resume with --force"):
        check_resumable(older)
    check_resumable(older, force=True)


def test_another_name_and_the_space_of_another_experiment_are_refused_with_the_difference(
    tmp_path: Path,
) -> None:
    run = create(tmp_path, "mine")
    with pytest.raises(RunError, match=r"comparable: --run mine → yours\. Undo"):
        check_resumable(run, Expected(run="yours"))
    wide = experiment(tmp_path, space="wide")
    with pytest.raises(
        RunError, match=r"comparable: space\.params\..* Undo the change, leave the option out"
    ):
        check_resumable(run, Expected(wide))
    check_resumable(run, Expected(wide, space="smoke"))
    check_resumable(run, Expected(space="wide"))  # the trials decide about it


def test_another_location_for_the_study_is_refused(tmp_path: Path) -> None:
    own = experiment(tmp_path)
    elsewhere = own.storage.model_copy(update={"study_url_variable": "TRAJTUNE_STUDY_URL"})
    with pytest.raises(RunError, match=r"storage\.study_url_variable None → TRAJTUNE_STUDY_URL"):
        check_resumable(create(tmp_path), Expected(own.model_copy(update={"storage": elsewhere})))


def test_settings_that_change_no_value_are_taken_over_and_kept(tmp_path: Path) -> None:
    run = create(tmp_path, "mine")
    now = experiment(tmp_path, trials=99, gpus_per_trial=1, keep_checkpoints=9)
    now = now.model_copy(update={"finalize": now.finalize.model_copy(update={"seeds": 1})})

    changed = changed_settings(run, now)
    assert changed == {"search": {"gpus_per_trial": 1.0, "keep_checkpoints": 9}, "finalize": {"seeds": 1}}

    again = open_run(run.with_changed(changed).path)
    assert (again.experiment.search.keep_checkpoints, again.experiment.finalize.seeds) == (9, 1)
    assert again.experiment.search.trials == 50
    assert changed_settings(again, now) == {}
    back = again.with_changed({"finalize": {"seeds": 3}})
    assert open_run(run.path) == back
    assert back.experiment.search.keep_checkpoints == 9


def test_a_change_of_the_space_is_described_by_param() -> None:
    before = load_space("smoke")
    other = {
        **before.model_dump(mode="json")["params"],
        "learning_rate": {"type": "float", "low": 0.0001, "high": 0.01, "log": True},
        "hidden_dim": {"type": "int", "low": 8, "high": 16, "step": 8},
        "schedule": {"type": "categorical", "choices": ["constant", "cosine"]},
        "warmup_epochs": {"type": "float", "low": 0.0, "high": 2.0, "when": {"schedule": "cosine"}},
    }
    now = Space.model_validate({"params": other})
    assert space_changes(before, before) == []
    assert space_changes(before, now) == [
        "hidden_dim 16 → 8..16 step 8",
        "learning_rate 0.0005..0.01 log → 0.0001..0.01 log",
        "schedule as in `training` → {'constant', 'cosine'}",
        "warmup_epochs as in `training` → 0..2 when {'schedule': ['cosine']}",
    ]
    assert space_changes(now, before)[0] == "hidden_dim 8..16 step 8 → 16"
