"""The page and the table of a backtest, from numbers alone; what is undefined is shown as not known."""

from pathlib import Path

from tests.support.backtests import NUMBERS, origin, result
from trajtune.finalizing.report.over_time import in_a_sentence
from trajtune.monitoring.backtest_report import terminal_table, write_backtest_report


def test_the_table_has_a_line_for_each_origin_and_both_conclusions() -> None:
    header, first, _, *said = terminal_table(result()).splitlines()
    assert header.split()[:3] == ["as", "of", "people"]
    assert "+0.200" in first
    assert said == [in_a_sentence(result()), "Retrain before a model is 4.0 years old."]


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
