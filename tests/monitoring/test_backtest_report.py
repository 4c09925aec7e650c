"""The page and the table of a backtest, from numbers alone; what is undefined is shown as not known."""

from pathlib import Path
from typing import Any

from trajtune.monitoring.backtest_report import in_a_sentence, terminal_table, write_backtest_report

GAIN = {"gain": 0.2, "low": 0.1, "high": 0.3, "p_better": 0.001, "p_worse": 1.0}
NUMBERS = {"top1": 0.4, "top5": 0.7, "mrr": 0.5, "nll": 2.0}


def origin(day: str, until: str, **changed: Any) -> dict[str, Any]:
    names = ("research_default", "ngram")
    return {
        "day": day,
        "held_out_since": day,
        "until": until,
        "people": 1200,
        "unseen_targets": 0.02,
        **NUMBERS,
        **dict.fromkeys(("ece", "ece_chance", "ece_p_value", "ece_debiased"), 0.03),
        "num_tenures": 300,
        "tenure_coverage": 0.8,
        "tenure_width_months": 30.0,
        "hireability_auc": 0.7,
        "psi": 0.1,
        "psi_by_chance": 0.05,
        "others": dict.fromkeys(names, NUMBERS),
        "gains": {name: {"nll": GAIN, "top1": GAIN} for name in names},
        **changed,
    }


def result(**changed: Any) -> dict[str, Any]:
    return {
        "run": "first",
        "cutoffs": {"train": "2014-01-01", "val": "2018-01-01"},
        "winner": "trial 3",
        "tenure_nominal_coverage": 0.8,
        "origins": [origin("2010-01-01", "2014-01-01"), origin("2014-01-01", "2018-01-01")],
        "best_baseline": "ngram",
        "gains": {"ngram": {"nll": GAIN, "top1": GAIN}, "research_default": {"nll": GAIN, "top1": None}},
        "aging": [
            {
                "first": "2014-01-01",
                "until": "2018-01-01",
                "years": 4.0,
                "people": 1200,
                "both_know": 1100,
                "nll": 2.1,
                "fresh_nll": 2.0,
                "top1": 0.3,
                "fresh_top1": 0.4,
                "loss": {"nll": GAIN, "top1": GAIN},
            }
        ],
        "retraining": "Retrain before a model is 4.0 years old.",
        **changed,
    }


def test_the_table_has_a_line_for_each_origin_and_both_conclusions() -> None:
    header, first, _, *said = terminal_table(result()).splitlines()
    assert header.split()[:3] == ["as", "of", "people"]
    assert "+0.200" in first
    assert said == [in_a_sentence(result()), "Retrain before a model is 4.0 years old."]


def test_the_verb_follows_the_interval() -> None:
    def said(low: float, high: float) -> str:
        gains = {"ngram": {"nll": {**GAIN, "low": low, "high": high}, "top1": GAIN}}
        return in_a_sentence(result(gains=gains))

    assert "beats the best baseline, ngram" in said(0.1, 0.3)
    assert "loses to" in said(-0.3, -0.1)
    assert "is not shown to differ from" in said(-0.1, 0.3)


def test_the_page_shows_numbers_that_are_undefined_as_not_known(tmp_path: Path) -> None:
    undefined = dict.fromkeys(("nll", "ece", "ece_chance", "tenure_coverage", "hireability_auc"))
    empty = {"ngram": {**NUMBERS, "nll": None}}
    row = origin(
        "2010-01-01", "2014-01-01", **undefined, num_tenures=0, others=empty, gains={"ngram": {"nll": None}}
    )
    shown = result(origins=[row], aging=[], gains={"ngram": {"nll": None, "top1": None}})
    write_backtest_report(shown, tmp_path / "page.html")
    assert "not known" in (tmp_path / "page.html").read_text("utf-8")
    assert "not known" in terminal_table(shown)


def test_the_same_result_gives_the_same_page(tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        write_backtest_report(result(), tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
