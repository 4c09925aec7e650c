"""Intervals of the figures of a monitor."""

import numpy as np
import pytest

from tests.monitoring.test_aging import predictions
from trajtune.finalizing.export.graph_predictions import GraphPredictions
from trajtune.model.predictions import Predictions, SplitPredictions
from trajtune.monitoring.figures import figures

PEOPLE = 500


def of_people(seed: int = 0) -> Predictions:
    random = np.random.default_rng(seed)
    p = predictions(random.normal(2, 0.5, PEOPLE), random.integers(1, 4, PEOPLE))
    months = random.integers(1, 60, PEOPLE).astype(np.float32)
    tenure = np.tile(np.array([6, 50], np.float32), (PEOPLE, 1))
    hireable = (random.random(PEOPLE) < 0.5).astype(np.float32)
    score = (0.3 * hireable + random.random(PEOPLE)).astype(np.float32)
    return Predictions(
        **{**vars(p), "tenure": tenure, "tenure_months": months, "hireable": hireable, "hireability": score}
    )


def shown(p: Predictions) -> dict[str, dict[str, object]]:
    person = np.arange(PEOPLE)
    measured = {
        **{f"next_role_{name}": 0.5 for name in ("top1", "top5", "nll")},
        **{f"next_role_{name}_interval": (0.4, 0.6) for name in ("top1", "top5", "nll")},
        "ece": 0.1,
        "tenure_coverage": 0.8,
        "hireability_auc": 0.6,
    }
    test = dict.fromkeys(measured, 0.55)
    graph = GraphPredictions(p, np.full(PEOPLE, 0.4, np.float32), np.full(PEOPLE, 2, np.int64))
    on_test = {"test": test, "title_sets": {"coverage": 0.81}}
    return figures(measured, on_test, graph, SplitPredictions(p, p), (person, person))


def test_every_figure_has_a_value_an_interval_and_the_bundles_own() -> None:
    found = shown(of_people())
    assert set(found) == {
        *("next_role_top1", "next_role_top5", "next_role_nll"),
        *("ece", "tenure_coverage", "hireability_auc", "set_coverage"),
    }
    assert all(set(row) == {"value", "interval", "on_test"} for row in found.values())
    assert found["set_coverage"]["on_test"] == 0.81


def test_the_interval_of_coverage_is_that_of_a_share_of_people() -> None:
    p = of_people()
    inside = (p.tenure_months >= 6) & (p.tenure_months <= 50)
    low, high = shown(p)["tenure_coverage"]["interval"]  # type: ignore[misc]
    half = 1.96 * inside.std() / PEOPLE**0.5
    assert (low, high) == pytest.approx((inside.mean() - half, inside.mean() + half), abs=0.01)


def test_the_interval_of_the_area_holds_the_area() -> None:
    from sklearn.metrics import roc_auc_score

    p = of_people()
    low, high = shown(p)["hireability_auc"]["interval"]  # type: ignore[misc]
    area = roc_auc_score(p.hireable, p.hireability)
    assert low < area < high
    assert (low + high) / 2 == pytest.approx(area, abs=1e-6)


def test_what_nobody_knows_has_no_interval() -> None:
    p = predictions(np.ones(PEOPLE))
    found = shown(p)
    assert found["tenure_coverage"]["interval"] is None
    assert found["hireability_auc"]["interval"] is None
