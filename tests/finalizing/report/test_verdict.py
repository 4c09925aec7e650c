"""The first and the last sentences of the report: what they say of gates, of few people, and of losses."""

import copy
import html
import re
from statistics import NormalDist
from typing import Any

import pytest

from trajtune.finalizing.evaluate.significance import people_needed, visible
from trajtune.finalizing.report.html import write_html_report
from trajtune.finalizing.report.markdown import report_text
from trajtune.finalizing.report.model_card import model_card
from trajtune.finalizing.report.verdict import closing, next_step, verdict, warnings

Results = dict[str, str]


def decided(metrics: dict[str, Any], **results: str) -> dict[str, Any]:
    """These metrics, with every gate passed but for those given."""
    changed = copy.deepcopy(metrics)
    for name, gate in changed["gates"].items():
        gate["result"] = results.get(name, "passed")
        gate["passed"] = gate["result"] == "passed"
        if "finding" in gate:
            gate["finding"] = None
    return changed


@pytest.mark.parametrize(
    ("results", "decision"),
    [
        ({}, "Ship."),
        (
            {"calibration": "too few people"},
            "Do not ship yet: 1 gate has too few people (calibration).",
        ),
        (
            {"calibration": "too few people", "hireability": "too few people"},
            "Do not ship yet: 2 of 9 gates have too few people (calibration and hireability).",
        ),
        (
            {"calibration": "too few people", "one_step_lag": "failed", "parity": "failed"},
            "Do not ship: one step lag and parity failed.",
        ),
    ],
)
def test_ship_is_reported_where_every_gate_passed_and_never_beside_too_few(
    metrics: dict, results: Results, decision: str
) -> None:
    said, reason = verdict(decided(metrics, **results))
    assert said == decision
    whole = " ".join((said, reason, *closing(decided(metrics, **results))))
    assert ("too few" in whole) == ("too few people" in results.values())
    assert ("Every gate passed" in whole) == (not results)


@pytest.mark.parametrize("gain", [(0.02, -0.02, 0.06), (-0.02, -0.06, 0.02), (0.0, -0.1, 0.1)])
def test_the_gain_in_top1_is_reported_with_its_interval_and_no_number_of_people(
    metrics: dict, gain: tuple[float, float, float]
) -> None:
    best = max(metrics["baselines"], key=lambda name: metrics["baselines"][name]["top1"])
    changed = decided(metrics)
    changed["gains"][best]["top1"] = dict(zip(("gain", "low", "high"), gain, strict=True))
    _, reason = verdict(changed)
    points = [f"{100 * value:+.1f}" for value in gain]
    assert f"({points[0]} points; {points[1]} to {points[2]}, 95 %)" in reason
    assert "too few" not in reason
    assert "would" not in reason


def test_the_next_step_says_how_many_more_careers_are_needed(metrics: dict) -> None:
    found = decided(metrics, tenure_coverage="too few people", calibration="too few people")
    found["test"]["num_examples"] = 1000
    found["gates"]["tenure_coverage"] |= {"people": 200, "people_needed": 580}  # 2.9 times as many
    found["gates"]["calibration"] |= {"people": 1000, "people_needed": 1500}
    assert next_step(found) == (
        "2 of 9 gates: too few people. About 1,900 more test careers, or a smaller second number in "
        "`split.fractions`, are needed to decide."
    )
    found["gates"]["calibration"]["people_needed"] = None
    assert "At least about 1,900 more test careers" in next_step(found)


def test_no_number_of_people_is_reported_of_a_loss(metrics: dict) -> None:
    found = decided(metrics, beats_baselines="too few people")
    found["gates"]["beats_baselines"]["people_needed"] = None  # as `decide.beats` gives it for a loss
    assert next_step(found) == (
        "1 of 9 gates: too few people. More test careers, or a smaller second number in `split.fractions`, "
        "are needed to decide."
    )


def test_a_failed_gate_has_its_finding_and_its_advice(metrics: dict) -> None:
    found = decided(metrics, beats_baselines="failed", latency="failed")
    found["gates"]["beats_baselines"]["finding"] = "significantly worse than research default"
    decision, advice = closing(found)
    assert decision == (
        "Do not ship: beats baselines (significantly worse than research default) and latency failed."
    )
    assert advice == (
        "Next: train on more careers, then search longer (`--trials`); export one seed "
        "(`finalize.export: best_seed`)."
    )


def test_so_many_people_show_a_difference_with_a_probability_of_80_percent() -> None:
    standard_error = 0.04
    needed = people_needed(100, visible(standard_error), 0.02)
    assert needed == pytest.approx(3140, rel=0.01)
    shrunk = standard_error * (100 / needed) ** 0.5
    assert 1 - NormalDist(0.02, shrunk).cdf(1.96 * shrunk) == pytest.approx(0.8, abs=0.01)


def test_a_winner_that_is_the_research_default_is_called_so(metrics: dict) -> None:
    sentence = "The winner is the research default itself"
    default = metrics["research_default_params"]
    assert sentence in verdict({**metrics, "params": default})[1]
    assert sentence not in verdict({**metrics, "params": {**default, "hidden_dim": 24}})[1]


def test_console_page_and_summary_end_with_the_same_verdict(metrics: dict, tmp_path: Any) -> None:
    last = " ".join(closing(metrics))
    assert report_text(metrics).rstrip().endswith(f"**{closing(metrics)[0]}** {closing(metrics)[1]}")
    write_html_report(metrics, tmp_path / "report.html", "There was no search.")
    page = (tmp_path / "report.html").read_text()
    *before, (heading, section) = re.findall(r"<h2[^>]*>([^<]+)</h2>(.*?)</section>", page, re.DOTALL)
    assert before
    assert heading == "Verdict"
    assert last.replace("`", "") in html.unescape(re.sub("<[^>]+>", "", section))


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


def test_the_model_card_says_how_many_roles_are_read(metrics: dict) -> None:
    limited = {**metrics["params"], "max_history": 64}
    card = model_card({**metrics, "params": limited, "history": {"careers": 3, "roles": 1200}})
    assert "reads the 64 most recent roles of a career. In training, 3 careers" in card
    assert "1,200 roles were not read" in card
    del limited["max_history"]
    assert "reads all roles of a career" in model_card({**metrics, "params": limited})
