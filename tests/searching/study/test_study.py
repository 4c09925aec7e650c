"""The study as the record of a search: writing, reading back, and recovery after a kill."""

from pathlib import Path

import pytest
from optuna import Study
from optuna.trial import Trial, TrialState

from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.search_settings import SAMPLERS, SearchSettings
from trajtune.experiment.space import load_space
from trajtune.searching.study.journal import JOURNAL
from trajtune.searching.study.open import create_study, read_study
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN, START_POINT_ORIGIN
from trajtune.searching.study.study import (
    ask,
    ask_again,
    enqueue,
    find_original,
    record_epoch,
    tell_complete,
    tell_duplicate,
    tell_failed,
    tell_pruned,
)
from trajtune.searching.study.trial_records import ranked, read_trials

SPACE = load_space("smoke")
SETTINGS = SearchSettings()
METRIC = SETTINGS.metric


def epoch(number: int, value: float) -> dict[str, object]:
    return {"epoch": number, METRIC: value, "val_top1": 0.5, "val_hireability_auc": None, "seconds": 0.25}


def asked(study: Study) -> Trial:
    return ask(study, SPACE, SETTINGS, Params())


def test_a_trial_is_read_back_as_it_was_recorded(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    trial = asked(study)
    for number, value in enumerate([3.0, 1.5, 2.0], start=1):
        record_epoch(study, trial, METRIC, epoch(number, value))
    tell_complete(study, trial)

    (read,) = read_trials(read_study(tmp_path))

    assert (read.state, read.value, read.best_epoch, len(read.epochs)) == ("COMPLETE", 1.5, 2, 3)
    assert read.metrics == epoch(2, 1.5)
    assert read.seconds == 0.75
    assert Params.model_validate(read.params) == SPACE.resolve(Params(), trial.params)
    assert read_study(tmp_path).best_value == 1.5, "Optuna sees the best epoch, not the last"


def test_a_pruned_trial_keeps_its_last_value_in_optuna_and_its_best_epoch_here(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    trial = asked(study)
    for number, value in enumerate([1.0, 2.0], start=1):
        record_epoch(study, trial, METRIC, epoch(number, value))
    tell_pruned(study, trial)

    (read,) = read_trials(study)

    assert (read.state, read.best_epoch, read.value) == ("PRUNED", 1, 1.0)
    assert study.trials[0].value == 2.0


def test_an_epoch_reported_again_changes_nothing(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    trial = asked(study)
    record_epoch(study, trial, METRIC, epoch(1, 3.0))
    before = (tmp_path / JOURNAL).read_bytes()

    record_epoch(study, trial, METRIC, epoch(1, 9.0))

    assert (tmp_path / JOURNAL).read_bytes() == before


def test_a_value_without_its_report_does_not_count(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    trial = asked(study)
    record_epoch(study, trial, METRIC, epoch(1, 3.0))
    trial.report(2.0, 2)

    (read,) = read_trials(read_study(tmp_path))

    assert (len(read.epochs), read.value) == (1, 3.0)


def test_a_failed_trial_has_no_rank(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    failed, good = asked(study), asked(study)
    record_epoch(study, failed, METRIC, epoch(1, 0.1))
    tell_failed(study, failed, "it broke")
    record_epoch(study, good, METRIC, epoch(1, 1.0))
    tell_complete(study, good)

    trials = read_trials(study)

    assert trials[0].error == "it broke"
    assert [trial.number for trial in ranked(trials)] == [1]


def test_the_first_queued_point_is_trial_0_with_all_its_params(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    enqueue(study, SPACE, RESEARCH_DEFAULT, RESEARCH_DEFAULT_ORIGIN)

    trial = ask(study, SPACE, SETTINGS, Params(max_epochs=3))

    assert trial.number == 0
    assert Params.model_validate(trial.user_attrs["params"]) == RESEARCH_DEFAULT
    assert trial.params == SPACE.searched_values(RESEARCH_DEFAULT)


SAMPLERS_BY_PATH = [f"optuna.samplers:{name}" for name in ("CmaEsSampler", "NSGAIISampler")]


@pytest.mark.parametrize("sampler", [*SAMPLERS, *SAMPLERS_BY_PATH])
def test_a_reopened_study_suggests_what_an_uninterrupted_one_does(tmp_path: Path, sampler: str) -> None:
    settings = SearchSettings.model_validate({"sampler": sampler, "seed": 3})

    def search(directory: Path, *, reopen: bool) -> list[dict[str, object]]:
        directory.mkdir()
        study = create_study(directory, settings, 50)
        for number in range(14):
            if reopen:
                study = create_study(directory, settings, 50)
            trial = ask(study, SPACE, settings, Params())
            record_epoch(study, trial, METRIC, epoch(1, trial.params["learning_rate"] * (number + 1)))
            tell_complete(study, trial)
        return [trial.params for trial in study.trials]

    uninterrupted, pieces = search(tmp_path / "a", reopen=False), search(tmp_path / "b", reopen=True)

    assert uninterrupted == pieces
    assert len({str(params) for params in uninterrupted}) > 10


def test_a_trial_killed_before_it_has_params_gets_the_same_params(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    uninterrupted = asked(create_study(tmp_path / "a", SETTINGS, 50))
    study = create_study(tmp_path / "b", SETTINGS, 50)
    study.ask()  # the process dies before it suggests anything

    again = ask_again(create_study(tmp_path / "b", SETTINGS, 50), 0, SPACE, SETTINGS, Params())

    assert again.params == uninterrupted.params
    assert again.user_attrs["params"] == uninterrupted.user_attrs["params"]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("finished", [0, 12])
def test_a_trial_killed_between_two_params_gets_the_same_remaining_params(
    tmp_path: Path, sampler: str, finished: int
) -> None:
    settings, space = SearchSettings.model_validate({"sampler": sampler}), load_space("around_default")
    (tmp_path / "uninterrupted").mkdir()
    study = create_study(tmp_path / "uninterrupted", settings, 50)
    for number in range(finished):
        trial = ask(study, space, settings, Params())
        record_epoch(study, trial, METRIC, epoch(1, trial.params["learning_rate"] * (number + 1)))
        tell_complete(study, trial)
    before = (tmp_path / "uninterrupted" / JOURNAL).read_bytes()
    uninterrupted = ask(study, space, settings, Params())
    added = (tmp_path / "uninterrupted" / JOURNAL).read_bytes()[len(before) :].splitlines(keepends=True)

    for written in range(1, len(added) + 1):
        if sampler in ("gp", "qmc") and b'"system_attr"' in added[written - 1]:
            continue  # these samplers record in the study that they made a suggestion, before its params
        (directory := tmp_path / f"after-{written}").mkdir()
        (directory / JOURNAL).write_bytes(before + b"".join(added[:written]))
        reopened = create_study(directory, settings, 50)
        again = ask_again(reopened, finished, space, settings, Params())
        assert again.params == uninterrupted.params
        assert again.user_attrs["params"] == uninterrupted.user_attrs["params"]


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_record_cut_off_by_a_kill_is_dropped_and_the_study_continues(tmp_path: Path, cut: int) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    trial = asked(study)
    record_epoch(study, trial, METRIC, epoch(1, 3.0))
    record_epoch(study, trial, METRIC, epoch(2, 2.0))
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-cut])
    (tmp_path / f"{JOURNAL}.lock").symlink_to(journal)

    assert [len(t.epochs) for t in read_trials(read_study(tmp_path))] == [1], (
        "a reader may open the study at any time"
    )
    reopened = create_study(tmp_path, SETTINGS, 50)
    again = ask_again(reopened, 0, SPACE, SETTINGS, Params())
    record_epoch(reopened, again, METRIC, epoch(2, 2.0))
    tell_complete(reopened, again)

    (read,) = read_trials(read_study(tmp_path))
    assert (read.state, read.value, [e["epoch"] for e in read.epochs]) == ("COMPLETE", 2.0, [1, 2])


def test_a_duplicate_gets_the_results_of_its_original(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    for _ in range(2):
        enqueue(study, SPACE, RESEARCH_DEFAULT, START_POINT_ORIGIN)
    first, second = asked(study), asked(study)
    assert find_original(study, first) is None
    for number, value in enumerate([3.0, 1.5], start=1):
        record_epoch(study, first, METRIC, epoch(number, value))
    tell_complete(study, first)

    original = find_original(study, second)
    assert original is not None
    tell_duplicate(study, second, original.number)

    a, b = read_trials(study)
    assert (b.state, b.value, b.best_epoch, b.epochs, b.duplicate_of) == (a.state, 1.5, 2, a.epochs, 0)
    assert ranked([a, b]) == [a], "each configuration is ranked only once"


def test_a_duplicate_of_a_failed_trial_is_trained(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    for _ in range(2):
        enqueue(study, SPACE, RESEARCH_DEFAULT, START_POINT_ORIGIN)
    first, second = asked(study), asked(study)
    tell_failed(study, first, "the node was lost")

    assert find_original(study, second) is None


def test_a_trial_without_a_finite_epoch_fails(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    trial = asked(study)
    tell_complete(study, trial)

    assert study.trials[0].state == TrialState.FAIL
