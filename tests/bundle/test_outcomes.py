"""The meaning of tenure and hireability in a manifest, and how it is printed."""

from dataclasses import replace

import pytest

from trajtune.bundle.outcomes import Outcomes, hireability_name, stays_months
from trajtune.bundle.prediction import Prediction
from trajtune.cli.output import describe, describe_abstention

MANIFEST = {
    "hireability_label": "proxy: stayed at least 12 months in the next role",
    "calibration": {
        "tenure_from": "model",
        "tenure_prior_months": [5.0, 61.0],
        "hireability_from": "prior",
        "hireability_prior": 0.84,
    },
}
PREDICTION = Prediction(
    next_role="Nurse",
    confidence=0.7,
    low_confidence=False,
    top5=(("Nurse", 0.8),),
    tenure_min_months=3.2,
    tenure_max_months=40.1,
    shown_min_months=3,
    shown_max_months=40,
    hireability=0.94,
    shown_hireability=94,
    unknown_titles=(),
    title_set=tuple(f"Nurse {number}" for number in range(12)),
)


@pytest.mark.parametrize(
    ("label", "months", "name"),
    [
        ("proxy: stayed at least 12 months in the next role", 12, "stays 12+ months"),
        ("proxy: stayed at least 6 months in the next role", 6, "stays 6+ months"),
        ("the column `hired`", None, "hireability"),
    ],
)
def test_the_proxy_label_has_a_descriptive_name(label: str, months: int | None, name: str) -> None:
    assert (stays_months(label), hireability_name(label)) == (months, name)


def test_a_printed_prediction_explains_each_number() -> None:
    outcomes = Outcomes.of(MANIFEST)
    lines = describe(PREDICTION, outcomes).splitlines()
    assert lines[2:5] == [
        "Tenure        3 to 40 months",
        "Stays 12+ months 94% (the same for every career: training knew no outcome)",
        "Likely set    " + ", ".join(f"Nurse {number}" for number in range(10)) + " and 2 more",
    ]
    unlabelled = replace(outcomes, stays_months=None, tenure_is_prior=True, hireability_is_prior=False)
    lines = describe(replace(PREDICTION, title_set=()), unlabelled).splitlines()
    assert lines[2:5] == [
        "Tenure        3 to 40 months (the same for every career: training knew no tenure)",
        "Hireability   94 of 100",
        "Top five, before calibration",
    ]


def test_an_abstention_shows_the_priors_and_says_so() -> None:
    assert describe_abstention(Outcomes.of(MANIFEST)).splitlines() == [
        "No prediction: the model knows none of these titles.",
        "Averages over all careers in training:",
        "Tenure        5 to 61 months",
        "Stays 12+ months 84%",
    ]


def test_a_bundle_of_an_earlier_version_has_no_priors() -> None:
    outcomes = Outcomes.of({"calibration": {}})
    assert outcomes == Outcomes()
    assert describe_abstention(outcomes) == "No prediction: the model knows none of these titles."


def test_an_abstention_has_no_numbers_in_json() -> None:
    assert replace(PREDICTION, unknown_titles=("x",), abstained=True).to_dict() == {
        "unknown_titles": ("x",),
        "abstained": True,
    }
