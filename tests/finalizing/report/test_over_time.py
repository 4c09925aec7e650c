"""The sections of a backtest, with numbers that are made up."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.backtests import GAIN, result
from trajtune.finalizing.report.over_time import FOLDER, RESULT, backtest_of, in_a_sentence, over_time
from trajtune.page.page import Page


def shown(content: dict[str, Any], params: dict[str, Any]) -> str:
    page = Page("A bundle", "")
    over_time(page, content, params)
    return page.html()


def run_with(folder: Path, text: str | None) -> Any:
    if text is not None:
        (folder / FOLDER).mkdir()
        (folder / FOLDER / RESULT).write_text(text, "utf-8")
    return SimpleNamespace(path=folder)


@pytest.mark.parametrize(
    "text",
    [
        '<h2 id="heading-1">Backtest</h2>',
        *("Gain over the best baseline", "Calibration over time", "Tenure over time", "Drift"),
        "How a model ages",
        "Retrain before a model is 4.0 years old.",
        *(">40.0 %<", ">2.000 nats<", ">+20.0 points<", ">30.0 months<", ">4.0 years<"),
        *('"gain in NLL (nats)"', '"calibration error"', '"NLL (nats)"', '"share inside"'),
    ],
)
def test_the_page_has_every_section_and_units(text: str) -> None:
    assert text in shown(result(), {"hidden_dim": 16})


def test_a_backtest_of_another_configuration_is_called_so() -> None:
    said = "The exported model has another configuration"
    assert said not in shown(result(), {"hidden_dim": 16})
    assert said in shown(result(), {"hidden_dim": 32})


def test_the_backtest_of_a_run_is_found(tmp_path: Path) -> None:
    assert backtest_of(run_with(tmp_path, json.dumps(result()))) == result()


def test_a_run_without_a_backtest_of_this_version_has_none(tmp_path: Path) -> None:
    assert backtest_of(run_with(tmp_path, None)) is None
    assert backtest_of(run_with(tmp_path, json.dumps(result(schema_version=0)))) is None


def test_the_verb_follows_the_interval() -> None:
    def said(low: float, high: float) -> str:
        gains = {"ngram": {"nll": {**GAIN, "low": low, "high": high}, "top1": GAIN}}
        return in_a_sentence(result(gains=gains))

    assert "beats the best baseline, ngram" in said(0.1, 0.3)
    assert "loses to" in said(-0.3, -0.1)
    assert "is not shown to differ from" in said(-0.1, 0.3)
