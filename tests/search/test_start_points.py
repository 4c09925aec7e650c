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

    assert [origin for origin, _ in points] == origins


def test_the_training_that_is_tried_has_the_values_that_the_space_fixes() -> None:
    entry = {"type": "float", "low": 0.0001, "high": 0.01}
    fixed = {"embedding_dim": 128, "hidden_dim": 16, "num_layers": 2, "dropout": 0.1, "batch_size": 32}
    space = Space.model_validate({"params": {"learning_rate": entry, **fixed}})

    *_, (origin, params) = start_points(
        SearchSettings(), space, Params(hidden_dim=64, embedding_dropout=0.1), 2
    )

    assert (origin, params) == ("training", Params(hidden_dim=16, embedding_dropout=0.1))
