"""CMA-ES from the study alone: it finds what it should, and holds nothing that a study does not show."""

import math
from pathlib import Path

import pytest

from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.experiment.settings import SearchSettings
from trajtune.experiment.space import FloatRange, IntRange, Space
from trajtune.search.study import study as record
from trajtune.search.study.cma import _from_unit, _to_unit
from trajtune.search.study.journal import JOURNAL
from trajtune.search.study.study import CMA_GENERATION, create_study

NUMBERS = validate(
    Space,
    {
        "params": {
            "embedding_dim": {"type": "int", "low": 32, "high": 256, "step": 32},
            "hidden_dim": {"type": "int", "low": 8, "high": 128, "log": True},
            "num_layers": 2,
            "dropout": {"type": "float", "low": 0.0, "high": 0.5},
            "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
            "batch_size": {"type": "categorical", "choices": [32, 64]},
        }
    },
    "test",
)


def far(params: dict[str, float]) -> float:
    """Distance from a point that only a search finds."""
    return (math.log10(params["learning_rate"]) + 2.5) ** 2 + (10 * (params["dropout"] - 0.4)) ** 2


def searched(directory: Path, sampler: str, trials: int) -> list[float]:
    directory.mkdir()
    settings = SearchSettings.model_validate({"sampler": sampler})
    study = create_study(directory, settings, 1)
    for _ in range(trials):
        trial = record.ask(study, NUMBERS, settings, Params())
        report = {"epoch": 1, settings.metric: far(trial.params), "seconds": 0.0}
        record.record_epoch(study, trial, settings.metric, report)
        record.tell_complete(study, trial)
    return [far(trial.params) for trial in study.trials]


def test_later_generations_are_nearer_to_the_best_than_random_points(tmp_path: Path) -> None:
    found, random = searched(tmp_path / "a", "cmaes", 80), searched(tmp_path / "b", "random", 80)

    assert sum(found[60:]) < 0.5 * sum(found[:20])
    assert sum(found[60:]) < 0.5 * sum(random[60:])


def test_the_study_holds_generations_and_no_pickle(tmp_path: Path) -> None:
    searched(tmp_path / "a", "cmaes", 30)

    study = create_study(tmp_path / "a", SearchSettings(), 1)
    assert {trial.user_attrs[CMA_GENERATION] for trial in study.trials} >= {0, 1, 2}
    assert "optimizer" not in (tmp_path / "a" / JOURNAL).read_text()


@pytest.mark.parametrize(
    "entry",
    [
        FloatRange(type="float", low=-1, high=3),
        FloatRange(type="float", low=1e-4, high=1e-1, log=True),
        IntRange(type="int", low=32, high=256, step=32),
        IntRange(type="int", low=8, high=128, log=True),
    ],
)
def test_every_point_of_the_cube_is_in_the_range_and_comes_back(entry: FloatRange | IntRange) -> None:
    for value in (entry.low, entry.high):
        assert _from_unit(entry, _to_unit(entry, value)) == pytest.approx(value)
    for step in range(101):
        value = _from_unit(entry, step / 100)
        assert entry.holds(value)
        assert abs(_to_unit(entry, value) - step / 100) < 0.2
