import copy
from typing import Any

import pytest

from trajtune.finalizing.report.first_screen import first_screen


def with_results(metrics: dict[str, Any], **results: str) -> dict[str, Any]:
    changed = copy.deepcopy(metrics)
    for name, gate in changed["gates"].items():
        gate["result"] = results.get(name, "passed")
    return changed


@pytest.mark.parametrize(
    ("results", "badge", "tone"),
    [
        ({}, "Ship", "good"),
        ({"calibration": "too few people"}, "Too few people", "open"),
        ({"calibration": "too few people", "latency": "failed"}, "Do not ship", "bad"),
    ],
)
def test_the_badge_is_the_verdict(metrics: dict, results: dict[str, str], badge: str, tone: str) -> None:
    screen = first_screen(with_results(metrics, **results))
    assert (screen.badge, screen.tone) == (badge, tone)


def test_three_numbers_are_beside_the_best_baseline_and_the_possible(metrics: dict[str, Any]) -> None:
    limit = {"top1": 0.75, "top5": 0.875, "nll": 1.25}
    headlines = first_screen({**metrics, "bayes_limit": limit}).headlines
    assert len(headlines) == 3
    for headline, key in zip(headlines, ("top1", "top5", "nll"), strict=True):
        assert headline.value == metrics["test"][f"next_role_{key}"]
        others = {other.name.split(" (")[0]: other.value for other in headline.others}
        best = (min if key == "nll" else max)(row[key] for row in metrics["baselines"].values())
        assert others["best baseline"] == best
        assert others["best possible"] == limit[key]
    assert [headline.higher_is_better for headline in headlines] == [True, True, False]


def test_a_gate_that_failed_is_explained_with_value_limit_and_unit(metrics: dict[str, Any]) -> None:
    failed = with_results(metrics, latency="failed")
    failed["gates"]["latency"] |= {"value": 61.5, "limit": 50.0}
    (_, why), (_, next_step) = first_screen(failed).why
    assert why.endswith("Failed: latency is 61.50 ms (at most 50.00 ms).")
    assert next_step.startswith("Export one seed")


def test_a_number_that_is_not_known_is_left_out(metrics: dict[str, Any]) -> None:
    poor = copy.deepcopy(metrics)
    poor["test"]["next_role_nll"] = None
    for row in poor["baselines"].values():
        row["top5"] = None
    first, five = first_screen(poor).headlines
    assert any(other.name.startswith("best baseline") for other in first.others)
    assert not any(other.name.startswith("best baseline") for other in five.others)
