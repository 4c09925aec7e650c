"""Directions of metrics, and violations of constraints."""

import math
from pathlib import Path

import pytest

from trajtune.errors import ExperimentError
from trajtune.experiment.load import validate
from trajtune.experiment.objective import DIRECTIONS, best_epoch, cost, parse_constraint
from trajtune.experiment.search_settings import SearchSettings
from trajtune.model.metrics import val_metrics


def test_every_metric_of_an_epoch_can_be_the_objective() -> None:
    assert set(DIRECTIONS) == set(val_metrics.__code__.co_consts[-1])


@pytest.mark.parametrize(
    ("text", "report", "violation"),
    [
        ("num_parameters <= 500_000", {"num_parameters": 600_000}, 100_000.0),
        ("num_parameters<=5e5", {"num_parameters": 500_000}, 0.0),
        ("latency_ms <= 1", {"latency_ms": 0.25}, -0.75),
        ("val_top1 >= 0.25", {"val_top1": 0.5}, -0.25),
        ("val_top1 >= 0.75", {"val_top1": 0.5}, 0.25),
        ("val_tenure_mae_months <= 6", {"val_tenure_mae_months": None}, 1.0),
    ],
)
def test_the_violation_of_a_constraint_is_its_distance_from_the_bound(
    text: str, report: dict[str, float], violation: float
) -> None:
    assert parse_constraint(text).violation(report) == violation


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"constraints": ["num_parameters < 5"]}, "a constraint must be a name, <= or >=, and a number"),
        ({"constraints": ["size <= 5"]}, "a constraint must be on one of num_parameters, latency_ms, val_"),
        ({"metric": "val_loss"}, "`metric`: Input should be 'val_next_role_nll', 'val_top1'"),
        ({"other_metrics": ["val_top1"]}, r"Optuna cannot prune, but `pruner.name` is asha. Set `pruner"),
        ({"other_metrics": ["val_next_role_nll"], "pruner": {"name": "none"}}, "must be named only once"),
    ],
)
def test_an_invalid_objective_is_refused_with_rule_and_remedy(
    settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ExperimentError, match=message):
        validate(SearchSettings, settings, "test")


def test_maximised_metrics_have_negated_costs() -> None:
    assert cost("val_top1", 0.9) < cost("val_top1", 0.1)
    assert cost("val_next_role_nll", 0.1) < cost("val_next_role_nll", 0.9)
    assert cost("val_top1", cost("val_top1", 0.3)) == 0.3


def test_the_best_epoch_is_the_first_of_equal_epochs_and_never_undefined() -> None:
    values = [(3.0, 0.2), (1.0, None), (math.nan, 0.5), (1.0, 0.5), (2.0, 0.4)]
    reports = [
        {"epoch": epoch, "val_next_role_nll": nll, "val_top1": top1}
        for epoch, (nll, top1) in enumerate(values, start=1)
    ]

    assert best_epoch(reports, "val_next_role_nll") == reports[1]
    assert best_epoch(reports, "val_top1") == reports[2]
    assert best_epoch(reports[1:2], "val_top1") is None
    assert best_epoch([], "val_top1") is None
