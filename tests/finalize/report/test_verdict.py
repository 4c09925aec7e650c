"""The first sentences of the report: what they say where people are few."""

from statistics import NormalDist

import pytest

from trajtune.finalize.report.model_card import model_card
from trajtune.finalize.report.verdict import verdict, warnings


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ({"gain": 0.1, "low": 0.05, "high": 0.15}, None),
        ({"gain": -0.1, "low": -0.15, "high": -0.05}, None),
        (
            {"gain": 0.02, "low": -0.02, "high": 0.06},
            "between -2.0 and +6.0 points (95 %). About 820 people would show a difference of this size in "
            "four tests of five.",
        ),
        ({"gain": -0.02, "low": -0.06, "high": 0.02}, "between -6.0 and +2.0 points (95 %). Its NLL"),
        ({"gain": 0.0, "low": -0.1, "high": 0.1}, "between -10.0 and +10.0 points (95 %)."),
    ],
    ids=["better", "worse", "perhaps better", "perhaps worse", "equal"],
)
def test_the_verdict_says_when_people_are_too_few_to_tell(
    gain: dict, said: str | None, metrics: dict
) -> None:
    best = max(metrics["baselines"], key=lambda name: metrics["baselines"][name]["top1"])
    people = {**metrics["test"], "num_examples": 100}
    gains = {**metrics["gains"], best: {**metrics["gains"][best], "top1": gain}}
    _, reason = verdict({**metrics, "test": people, "gains": gains})
    if said is None:
        assert "too few" not in reason
    else:
        assert f"100 people are too few to tell the two apart: the difference is {said}" in reason


def test_so_many_people_show_the_gain_with_a_probability_of_80_percent() -> None:
    """820 people where 100 have an interval of four points each way, and the gain is two points."""
    standard_error = 0.04 / 1.96 * (100 / 820) ** 0.5

    power = 1 - NormalDist(0.02, standard_error).cdf(1.96 * standard_error)

    assert power == pytest.approx(0.8, abs=0.01)


def test_a_model_that_is_better_on_too_few_people_is_not_called_worse(metrics: dict) -> None:
    few = {"nll": {"gain": 0.02, "low": -0.01, "high": 0.05}, "top1": {"gain": 0.0, "low": -0.1, "high": 0.1}}
    worse = {**few, "nll": {"gain": -0.02, "low": -0.05, "high": 0.01}}
    gates = {**metrics["gates"], "beats_baselines": {"passed": False}}

    def said(gains: dict) -> str:
        everyone = {**metrics["gains"], **dict.fromkeys(metrics["baselines"], gains)}
        return verdict({**metrics, "gates": gates, "gains": everyone})[0]

    assert said(few) == (
        "Do not ship yet: test has too few people to show that the model beats every baseline."
    )
    assert said(worse) == "Do not ship: the model does not beat every baseline."


def test_titles_that_the_service_sees_otherwise_are_warned_of(metrics: dict) -> None:
    counts = {"roles": 200, "targets": 50, "another_roles": 0, "another_targets": 0}
    counts |= {"missing_roles": 1, "missing_targets": 0}
    assert metrics["data"]["titles"]["as_served"]["test"]["roles"] > 0

    def said(**changes: int) -> list[str]:
        titles = {"identity": "unicode", "synonyms": 0, "as_served": {"test": {**counts, **changes}}}
        found = warnings({**metrics, "data": {**metrics["data"], "titles": titles}})
        return [sentence for sentence in found if "vocabulary.identity" in sentence]

    assert said() == []
    (warning,) = said(another_targets=1)
    assert (
        "of test's 200 roles it sees 0 as another title and 1 not at all (targets: 1 and 0 of 50)" in warning
    )


def test_the_model_card_says_which_titles_are_one(metrics: dict) -> None:
    before = {name: value for name, value in metrics["data"].items() if name != "titles"}
    assert "Titles that differ in case, spaces, punctuation" in model_card(metrics)
    assert "Titles are matched as the service matches them" in model_card({**metrics, "data": before})
    assert warnings({**metrics, "data": before}) == warnings(metrics)
