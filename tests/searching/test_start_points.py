"""Start points of a search, and trials that a warm start takes from an earlier search."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import ExperimentError
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space, load_space
from trajtune.searching.runs.create import create_run
from trajtune.searching.runs.directory import Run
from trajtune.searching.start_points import check_start_points, start_points, with_warm_start
from trajtune.searching.study.open import create_study
from trajtune.searching.study.sampled_study import SampledStudy, known_trial
from trajtune.searching.study.sampler import check_sampler
from trajtune.searching.study.study import ask, enqueue, record_epoch, tell_complete, tell_pruned

GIVEN = {"learning_rate": 0.0005, "embedding_dim": 32, "max_epochs": 3}


@pytest.mark.parametrize(
    ("training", "given", "requested", "origins"),
    [
        ({}, [GIVEN], 3, ["research_default", "start_point", "training"]),
        ({}, [GIVEN], 2, ["research_default", "start_point"]),
        ({"learning_rate": 5.0}, [], 3, ["research_default"]),
        (RESEARCH_DEFAULT.model_dump(), [], 3, ["research_default"]),
    ],
    ids=["first", "no room", "outside the space", "already a start point"],
)
def test_the_training_is_a_start_point_if_the_space_contains_it_and_there_is_room(
    training: dict[str, object], given: list[dict[str, object]], requested: int, origins: list[str]
) -> None:
    settings = SearchSettings.model_validate({"space": "smoke", "start_points": given})

    points = start_points(settings, load_space("smoke"), Params.model_validate(training), requested)

    assert [point.origin for point in points] == origins


def test_the_tried_training_has_the_values_that_the_space_fixes() -> None:
    entry = {"type": "float", "low": 0.0001, "high": 0.01}
    fixed = {"embedding_dim": 128, "hidden_dim": 16, "num_layers": 2, "dropout": 0.1, "batch_size": 32}
    space = Space.model_validate({"params": {"learning_rate": entry, **fixed}})

    *_, own = start_points(SearchSettings(), space, Params(hidden_dim=64, embedding_dropout=0.1), 2)

    assert (own.origin, own.params) == ("training", Params(hidden_dim=16, embedding_dropout=0.1))


def test_settings_that_a_start_point_leaves_out_equal_those_of_sampled_trials() -> None:
    training = Params(max_epochs=7, learning_rate=0.002)
    other = {"learning_rate": 0.001, "embedding_dropout": 0.2}
    settings = SearchSettings(space="smoke", start_points=[{"learning_rate": 0.001}, other])

    research, point, different, own = start_points(settings, load_space("smoke"), training, 9)

    assert point.params == training.model_copy(update={"learning_rate": 0.001})
    assert own.params == training
    differences = [each.attributes["differs_in"] for each in (point, different, own)]
    assert differences == [[], ["embedding_dropout"], []]
    assert {"max_epochs", "schedule", "tenure_loss"} <= set(research.attributes["differs_in"])


def test_the_research_default_differs_in_nothing_if_the_search_is_around_it() -> None:
    (research,) = start_points(SearchSettings(), load_space("smoke"), RESEARCH_DEFAULT, 1)

    assert research.attributes == {"differs_in": []}


@pytest.mark.parametrize(
    ("requested", "repeats", "expected"),
    [(39, None, 0), (40, None, 2), (3, 2, 1), (9, 1, 1), (400, 0, 0)],
    ids=["small", "large", "no room", "given number", "no repeats"],
)
def test_the_experiments_training_is_repeated_if_there_is_room(
    requested: int, repeats: int | None, expected: int
) -> None:
    settings = SearchSettings(repeats=repeats, seed=5)

    points = start_points(settings, load_space("smoke"), Params(), requested)

    repeated = [point.attributes for point in points if point.origin == "training_repeat"]
    assert repeated == [{"repeat_of": 1, "seed": seed} for seed in (1005, 2005)[:expected]]
    assert all(point.params == Params() for point in points[1:])


def test_a_training_that_is_the_research_default_is_repeated_too() -> None:
    settings = SearchSettings(repeats=2)

    points = start_points(settings, load_space("smoke"), RESEARCH_DEFAULT, 5)

    assert [point.attributes.get("repeat_of") for point in points] == [None, 0, 0]


SPACE = load_space("smoke")
NARROW = {**SPACE.model_dump()["params"], "learning_rate": {"type": "float", "low": 0.0005, "high": 0.002}}


def experiment(folder: Path, **content: Any) -> Experiment:
    search = {"space": "smoke", "trials": 20, "sampler": "random", **content.pop("search", {})}
    return validate(Experiment, {"search": search, "storage": {"runs": str(folder)}, **content}, "test")


@pytest.fixture
def earlier(small_snapshot: Snapshot, tmp_path: Path) -> Run:
    """A run whose trial n has the value n, or 0.5 for the research default; trial 9 was stopped early."""
    chosen = experiment(tmp_path)
    run = create_run(
        chosen, SPACE, name="a", snapshot_path=small_snapshot.path, snapshot_id=small_snapshot.id
    )
    study = create_study(run.path, chosen.search, 10)
    enqueue(study, SPACE, Params(embedding_dropout=0.5), "start_point", {"differs_in": ["embedding_dropout"]})
    for number in range(12):
        trial = ask(study, SPACE, chosen.search, chosen.training)
        report = {"epoch": 1, chosen.search.metric: number or 0.5, "seconds": 0.0}
        record_epoch(study, trial, chosen.search.metric, report)
        (tell_pruned if number == 9 else tell_complete)(study, trial)
    return run


def values(warm: Experiment) -> list[float]:
    return [trial.value for trial in warm.search.known_trials]


def test_earlier_trials_that_this_search_could_draw_are_known(
    earlier: Run, small_snapshot: Snapshot, tmp_path: Path
) -> None:
    warm = with_warm_start(experiment(tmp_path), SPACE, earlier, small_snapshot)

    # Trial 0 differs in unsearched settings, 1 to 4 are trained again, and 9 was stopped early.
    assert values(warm) == [5.0, 6.0, 7.0, 8.0, 10.0, 11.0]
    assert set(warm.search.known_trials[0].params) == set(SPACE.searched)
    check_start_points(warm.search, SPACE, warm.training)
    check_sampler(warm.search, SPACE, warm.training)


def test_a_changed_space_takes_only_trials_that_lie_in_it(
    earlier: Run, small_snapshot: Snapshot, tmp_path: Path
) -> None:
    narrow = validate(Space, {"params": NARROW}, "test")

    warm = with_warm_start(experiment(tmp_path), narrow, earlier, small_snapshot)

    rates = [trial.params["learning_rate"] for trial in warm.search.known_trials]
    assert 0 < len(rates) < 6
    assert all(0.0005 <= rate <= 0.002 for rate in rates)


@pytest.mark.parametrize(
    "changed",
    [
        {"training": {"max_epochs": 3}},
        {"search": {"metric": "val_top1"}},
        {"search": {"max_train_careers": 50}},
        {"search": {"other_metrics": ["val_top1"], "pruner": {"name": "none"}}},
    ],
    ids=["training", "metric", "careers", "objectives"],
)
def test_values_that_are_not_comparable_are_not_taken(
    earlier: Run, small_snapshot: Snapshot, tmp_path: Path, changed: dict[str, Any]
) -> None:
    warm = with_warm_start(experiment(tmp_path, **changed), SPACE, earlier, small_snapshot)

    assert values(warm) == []
    assert warm.search.start_points


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_the_sampler_learns_from_known_trials_from_the_start(tmp_path: Path, sampler: str) -> None:
    """With twenty known trials that are best at low learning rates, no high rate is suggested."""
    fixed = {"embedding_dim": 128, "hidden_dim": 16, "num_layers": 2, "dropout": 0.1, "batch_size": 32}
    rate = {"type": "float", "low": 1e-9, "high": 1.0}
    space = validate(Space, {"params": {**fixed, "learning_rate": rate}}, "test")
    rates = [(number + 0.5) / 20 for number in range(20)]
    known = [{"params": {"learning_rate": rate}, "value": abs(rate - 0.2)} for rate in rates]
    settings = SearchSettings.model_validate({"sampler": sampler, "known_trials": known})
    study = create_study(tmp_path, settings, 1)

    drawn = [ask(study, space, settings, Params()).params["learning_rate"] for _ in range(5)]

    assert all(abs(rate - 0.2) < 0.25 for rate in drawn)


def test_a_known_trial_is_listed_first_and_never_counted() -> None:
    study = optuna.create_study()
    distributions = SPACE.distributions({"learning_rate": 0.001})
    known = [known_trial({"learning_rate": 0.001}, distributions, value) for value in (1.0, 2.0)]
    study.ask()

    listed = SampledStudy(study, known).trials

    assert [trial.number for trial in listed] == [-1, -1, 0]
    assert SampledStudy(study, known).best_value == 1.0
    assert len(study.trials) == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"learning_rate": 0.001},
            "must have the searched params of smoke, but .* the searched params are embedding",
        ),
        (
            {"learning_rate": 5.0, "embedding_dim": 32, "num_layers": 1, "batch_size": 32},
            "`learning_rate` is 5.0, outside",
        ),
    ],
)
def test_a_known_trial_outside_the_space_is_refused(params: dict[str, Any], message: str) -> None:
    settings = SearchSettings.model_validate(
        {"space": "smoke", "known_trials": [{"params": params, "value": 1.0}]}
    )

    with pytest.raises(ExperimentError, match=message):
        check_start_points(settings, SPACE, Params())
