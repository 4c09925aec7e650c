"""A head without training labels is replaced by a prior computed from all roles."""

import numpy as np
import pytest

from tests.model.conftest import plain
from trajtune.dataset.arrays import CareerArrays
from trajtune.finalizing.calibrate.priors import NO_RATE, priors_of

NAN = np.nan


def careers(*, inner: float, last: float, num: int = 50) -> CareerArrays:
    """Careers of three roles with given tenures of the second and third; NaN: not ended after 5 months."""
    tenure = np.tile(np.array([NAN, inner, last], np.float32), num)
    at_least = np.where(np.isnan(tenure), np.tile([NAN, 5, 5], num), tenure).astype(np.float32)
    label = np.where(np.isnan(tenure), NAN, tenure >= 12).astype(np.float32)
    ids = np.ones(3 * num, np.int32)
    return CareerArrays(ids, np.arange(0, 3 * num + 1, 3), tenure, at_least, label, ids, ids > 0)


def test_inner_roles_are_labels_with_every_transition() -> None:
    found = priors_of(careers(inner=24, last=NAN), plain(examples="every_transition"))
    assert (found.tenure_from, found.hireability_from) == ("model", "model")
    assert (found.num_tenures, found.num_hireabilities) == (50, 50)


def test_if_no_last_role_has_ended_the_prior_comes_from_inner_roles() -> None:
    found = priors_of(careers(inner=24, last=NAN), plain(examples="last"))
    assert (found.tenure_from, found.hireability_from) == ("prior", "prior")
    assert (found.tenure_months, found.hireability) == ((24.0, 24.0), 1.0)
    assert (found.num_tenures, found.num_hireabilities) == (0, 0)


def test_a_head_without_loss_weight_has_no_labels() -> None:
    params = plain(examples="last", tenure_weight=0.0)
    found = priors_of(careers(inner=24, last=10), params)
    assert (found.tenure_from, found.hireability_from) == ("prior", "model")
    assert found.tenure_months == (10.0, 24.0)
    assert found.hireability == pytest.approx(0.5)


def test_without_any_label_the_prior_uses_only_lower_bounds() -> None:
    found = priors_of(careers(inner=NAN, last=NAN), plain())
    assert (found.tenure_months, found.hireability) == ((0.0, 5.0), NO_RATE)
