"""Which points a search starts from."""

import pytest

from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import SearchSettings
from trajtune.experiment.space import Space, load_space
from trajtune.search.start_points import start_points

GIVEN = {"learning_rate": 0.0005, "embedding_dim": 32, "max_epochs": 3}


@pytest.mark.parametrize(
    ("training", "given", "requested", "origins"),
    [
        ({}, [GIVEN], 3, ["research_default", "start_point", "training"]),
        ({}, [GIVEN], 2, ["research_default", "start_point"]),
        ({"learning_rate": 5.0}, [], 3, ["research_default"]),
        (RESEARCH_DEFAULT.model_dump(), [], 3, ["research_default"]),
    ],
    ids=["first", "no room", "outside the space", "there already"],
)
def test_a_search_starts_from_what_the_space_holds_and_the_trials_leave_room_for(
    training: dict[str, object], given: list[dict[str, object]], requested: int, origins: list[str]
) -> None:
    settings = SearchSettings.model_validate({"space": "smoke", "start_points": given})

    points = start_points(settings, load_space("smoke"), Params.model_validate(training), requested)

    assert [point.origin for point in points] == origins


def test_the_training_that_is_tried_has_the_values_that_the_space_fixes() -> None:
    entry = {"type": "float", "low": 0.0001, "high": 0.01}
    fixed = {"embedding_dim": 128, "hidden_dim": 16, "num_layers": 2, "dropout": 0.1, "batch_size": 32}
    space = Space.model_validate({"params": {"learning_rate": entry, **fixed}})

    *_, own = start_points(SearchSettings(), space, Params(hidden_dim=64, embedding_dropout=0.1), 2)

    assert (own.origin, own.params) == ("training", Params(hidden_dim=16, embedding_dropout=0.1))


def test_a_start_point_has_what_sampled_trials_have_where_it_says_nothing() -> None:
    training = Params(max_epochs=7, learning_rate=0.002)
    other = {"learning_rate": 0.001, "embedding_dropout": 0.2}
    settings = SearchSettings(space="smoke", start_points=[{"learning_rate": 0.001}, other])

    research, point, different, own = start_points(settings, load_space("smoke"), training, 9)

    assert point.params == training.model_copy(update={"learning_rate": 0.001})
    assert own.params == training
    differences = [each.attributes["differs_in"] for each in (point, different, own)]
    assert differences == [[], ["embedding_dropout"], []]
    assert {"max_epochs", "schedule", "tenure_loss"} <= set(research.attributes["differs_in"])


def test_the_research_default_is_no_other_function_where_it_is_what_is_searched() -> None:
    (research,) = start_points(SearchSettings(), load_space("smoke"), RESEARCH_DEFAULT, 1)

    assert research.attributes == {"differs_in": []}


@pytest.mark.parametrize(
    ("requested", "repeats", "expected"),
    [(39, None, 0), (40, None, 2), (3, 2, 1), (9, 1, 1), (400, 0, 0)],
    ids=["small", "large", "no room", "as told", "none wanted"],
)
def test_the_experiments_training_is_repeated_where_the_trials_leave_room_for_it(
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
