"""The conclusion on how often to retrain, from paired comparisons of an old and fresh models."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from trajtune.model.predictions import Predictions
from trajtune.monitoring.aging import age, retraining

ORIGIN = date(2010, 1, 1)
PEOPLE = 400


def predictions(nll: np.ndarray[Any, Any], rank: np.ndarray[Any, Any] | None = None) -> Predictions:
    num = len(nll)
    unknown = np.full(num, np.nan)
    return Predictions(
        target=np.where(np.isnan(nll), 0, 1).astype(np.int32),
        rank=np.where(np.isnan(nll), 0, 2 if rank is None else rank).astype(np.int32),
        nll=nll,
        stay_nll=unknown,
        top_ids=np.ones((num, 5), np.int32),
        confidence=np.full(num, 0.5, np.float32),
        tenure=np.full((num, 2), np.nan, np.float32),
        hireability=unknown.astype(np.float32),
        tenure_months=unknown.astype(np.float32),
        tenure_at_least=unknown.astype(np.float32),
        hireable=unknown.astype(np.float32),
    )


def aged(year: int, loss: float) -> dict[str, Any]:
    random = np.random.default_rng(year)
    fresh = random.normal(2, 0.5, PEOPLE)
    old = fresh + loss + random.normal(0, 0.2, PEOPLE)
    return age(ORIGIN, date(year, 1, 1), date(year + 1, 1, 1), predictions(old), predictions(fresh))


def test_the_loss_is_that_of_the_old_model_to_the_fresh_one() -> None:
    row = aged(2012, 0.3)
    assert row["years"] == pytest.approx(2, abs=0.01)
    assert row["loss"]["nll"]["gain"] == pytest.approx(row["nll"] - row["fresh_nll"])
    assert row["loss"]["nll"]["low"] < 0.3 < row["loss"]["nll"]["high"]


def test_only_next_titles_that_both_know_are_compared_in_nats() -> None:
    old, fresh = np.array([1.0, np.nan, 3.0]), np.array([1.0, 1.0, np.nan])
    row = age(ORIGIN, date(2011, 1, 1), date(2012, 1, 1), predictions(old), predictions(fresh))
    assert (row["people"], row["both_know"], row["nll"], row["fresh_nll"]) == (3, 1, 1.0, 1.0)


def test_the_age_before_the_first_loss_that_is_shown_is_named() -> None:
    said = retraining(ORIGIN, [aged(2011, 0.0), aged(2012, 0.0), aged(2014, 0.2), aged(2016, 0.4)])
    assert said.startswith("Retrain before a model is 4.0 years old")
    assert "from 2014-01-01 until 2015-01-01 the model of 2010-01-01 loses 0.2" in said
    assert "to one trained after 2.0 years no loss is shown" in said


def test_a_loss_in_the_first_window_names_no_earlier_one() -> None:
    said = retraining(ORIGIN, [aged(2011, 0.3), aged(2012, 0.3)])
    assert said.startswith("Retrain before a model is 12 months old")
    assert "no loss is shown" not in said


def test_without_a_loss_retraining_is_not_shown_to_help_and_what_is_ruled_out_is_said() -> None:
    rows = [aged(2011, 0.0), aged(2012, 0.0)]
    said = retraining(ORIGIN, rows)
    most = max(row["loss"]["nll"]["high"] for row in rows)
    assert "not shown to help" in said
    assert f"more than {most:.4f} nats is ruled out" in said


def test_a_loss_in_accuracy_counts_too() -> None:
    """New titles that the old vocabulary lacks are misses, and no loss in nats."""
    nll = np.full(PEOPLE, 1.0)
    old, fresh = (
        predictions(np.where(np.arange(PEOPLE) % 4 == 0, np.nan, nll), np.ones(PEOPLE)),
        predictions(nll, np.ones(PEOPLE)),
    )
    said = retraining(ORIGIN, [age(ORIGIN, date(2012, 1, 1), date(2013, 1, 1), old, fresh)])
    assert "25.0 points of top-1" in said


def test_one_origin_says_that_aging_is_not_known() -> None:
    assert "not known" in retraining(ORIGIN, [])
