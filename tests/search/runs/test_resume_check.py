"""A run is resumed only if its new trials can be compared with its old ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.search.runs.created import create, experiment
from trajtune.errors import RunError
from trajtune.search.runs.resume_check import check_resumable, differences


def test_the_same_snapshot_versions_and_settings_are_resumable(tmp_path: Path) -> None:
    run = create(tmp_path)
    check_resumable(run, "abc")
    check_resumable(run, "abc", experiment=experiment(tmp_path))


def test_another_number_of_trials_is_resumable(tmp_path: Path) -> None:
    check_resumable(create(tmp_path), "abc", experiment=experiment(tmp_path, trials=99, max_concurrent=3))


def test_every_harmful_difference_is_named_whatever_is_forced(tmp_path: Path) -> None:
    changed = experiment(tmp_path, seed=7, start_points=[{"learning_rate": 0.001}])
    with pytest.raises(
        RunError, match=r"compared: snapshot abc → def, search\.seed 0 → 7, search\.start_points .*\. Put"
    ):
        check_resumable(create(tmp_path), "def", experiment=changed, force=True)


def test_another_version_needs_force(tmp_path: Path) -> None:
    run = create(tmp_path)
    older = replace(run, manifest={**run.manifest, "versions": {**run.manifest["versions"], "torch": "1.0"}})

    (change,) = differences(older, "abc")
    assert (change.what, change.before, change.harmless) == ("torch", "1.0", True)
    with pytest.raises(RunError, match=r"other versions: torch 1\.0 → .* or go on with --force"):
        check_resumable(older, "abc")
    check_resumable(older, "abc", force=True)
