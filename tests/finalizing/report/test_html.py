"""The evaluation report opens offline in a real browser, with every figure drawn."""

import copy
import html
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.backtests import result as backtested
from trajtune.bundle.bundle import load_bundle
from trajtune.dataset.snapshot import Snapshot, read_split, split_files
from trajtune.finalizing.report.html import write_html_report
from trajtune.finalizing.report.markdown import report_text
from trajtune.finalizing.report.over_time import FOLDER, RESULT
from trajtune.searching.runs.directory import Run, open_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


DIGITS = 1e-5
"""Figures hold six digits."""


@pytest.fixture(scope="module")
def page(finalized: Path, browser: "Browser") -> "Page":
    opened = browser.new_page()
    opened.requests, opened.complaints = [], []  # type: ignore[attr-defined]
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.on("console", lambda m: opened.complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.goto((finalized / "report.html").as_uri())
    opened.wait_for_function("document.documentElement.dataset.drawn === 'all'")
    return opened


@pytest.mark.slow
def test_it_opens_offline_with_every_figure_drawn(page: Any, finalized: Path) -> None:
    assert (finalized / "report.html").stat().st_size < 2_500_000
    for figure in page.locator(".figure").all():
        assert figure.locator(".main-svg").count() >= 1
        assert figure.get_attribute("aria-label")
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.complaints == []


def test_the_verdict_comes_first_and_every_gate_is_there(page: Any, metrics: dict[str, Any]) -> None:
    lead = page.locator("p.lead").inner_text()
    assert lead.startswith(("Ship.", "Do not ship"))
    rows = page.locator("table").first.locator("tbody tr").all_inner_texts()
    assert len(rows) == len(metrics["gates"])
    for row, gate in zip(rows, metrics["gates"].values(), strict=True):
        assert ("FAIL" in row) == (gate["result"] == "failed")
        assert ("too few people" in row) == (gate["result"] == "too few people")


def drawn(page: Any, number: int) -> dict[str, dict[str, Any]]:
    """What plotly holds of a figure, by the name of its traces."""
    traces = page.evaluate(
        f"Array.from(document.getElementById('figure-{number}').data, t => ({{name: t.name, "
        "x: Array.from(t.x), y: Array.from(t.y), high: t.error_x?.array ? Array.from(t.error_x.array) : "
        "null}))"
    )
    return {trace["name"]: trace for trace in traces}


def numbers_of(page: Any, trace: str) -> list[int]:
    """The figures that have a trace of this name."""
    found: list[int] = page.evaluate(
        "name => FIGURES.flatMap((figure, i) => figure.data.some(t => t.name === name) ? [i + 1] : [])", trace
    )
    return found


def section(page: Any, heading: str) -> str:
    """The text of the section with a heading."""
    text: str = page.evaluate(
        "heading => [...document.querySelectorAll('section')]"
        ".find(s => s.querySelector('h2').textContent === heading).innerText",
        heading,
    )
    return text


def test_accuracies_stand_beside_the_baselines_with_their_intervals(
    page: Any, metrics: dict[str, Any]
) -> None:
    assert "ngram counts what followed the last titles" in page.inner_text("main")
    first = drawn(page, 1)["first guess"]
    names = ["this model", "as selected", "research default", "majority", "current title", "markov", "ngram"]
    assert first["y"] == names
    test = metrics["test"]
    baselines = [metrics["as_selected"], metrics["research_default"], *metrics["baselines"].values()]
    assert first["x"] == pytest.approx([test["next_role_top1"], *(b["top1"] for b in baselines)], rel=DIGITS)
    high = [test["next_role_top1_interval"][1], *(b["top1_interval"][1] for b in baselines)]
    assert [x + e for x, e in zip(first["x"], first["high"], strict=True)] == pytest.approx(high, rel=DIGITS)
    assert max(first["high"]) > 0.005


def test_the_reliability_diagrams_show_before_and_after_on_test_and_val(
    page: Any, metrics: dict[str, Any]
) -> None:
    on_test, on_val = (drawn(page, number) for number in numbers_of(page, "perfectly calibrated")[:2])
    for trace, bins in (
        (on_test["before calibration"], metrics["reliability"]["raw"]),
        (on_test["after calibration"], metrics["reliability"]["calibrated"]),
        (on_val["before calibration"], metrics["calibration"]["reliability_val_raw"]),
        (on_val["after, cross-fitted"], metrics["calibration"]["reliability_val"]),
    ):
        assert trace["x"] == pytest.approx([row["confidence"] for row in bins], rel=DIGITS)
        assert trace["y"] == pytest.approx([row["accuracy"] for row in bins], rel=DIGITS)


def test_coverage_and_width_of_tenure_are_shown_by_length_of_history(
    page: Any, metrics: dict[str, Any]
) -> None:
    rows = [r for r in metrics["segments"]["history_length"] if r["tenure_coverage"] is not None]
    (number,) = numbers_of(page, "inside")
    (coverage,), (width,) = drawn(page, number).values(), drawn(page, number + 1).values()
    assert coverage["x"] == width["x"] == [row["segment"] for row in rows]
    assert coverage["y"] == pytest.approx([row["tenure_coverage"] for row in rows], rel=DIGITS)
    assert width["y"] == pytest.approx([row["tenure_width_months"] for row in rows], rel=DIGITS)


def test_people_of_test_are_shown_with_their_prediction_and_the_outcome(
    page: Any, metrics: dict[str, Any], changing_snapshot: Snapshot
) -> None:
    said = section(page, "A few people")
    whys = [found["why"] for found in metrics["examples"]]
    assert "a career changer" in whys
    assert {"sure, and right", "unsure, and right"} & set(whys)
    for found in metrics["examples"]:
        assert f"Predicted: {found['predicted']}" in said
        assert f"Happened: {found['happened']}" in said
        assert ("right" in found["why"]) <= (found["happened_rank"] == 1)
        assert ("wrong" in found["why"]) <= (found["happened_rank"] != 1)
    ids = read_split(split_files(changing_snapshot, "test")).candidate_ids.to_pylist()
    assert not set(ids) & set(re.findall(r"c\d{5}", page.content()))


def test_the_search_and_the_data_that_led_to_the_model_are_shown(page: Any, metrics: dict[str, Any]) -> None:
    headings = page.locator("h2").all_inner_texts()
    assert {"The search: history", "Learning curves", "Workers", "Trials"} <= set(headings)
    assert {"From rows to careers", "The splits, and drift"} <= set(headings)
    assert f"{metrics['data']['counts']['careers']:,}" in section(page, "From rows to careers")


def test_tables_sort_by_mouse_and_by_keyboard(page: Any, metrics: dict[str, Any]) -> None:
    table = page.locator("table", has_text="latency").first
    gate, value = table.locator("thead button").nth(0), table.locator("thead button").nth(2)
    value.click()
    cells = table.locator("tbody tr > :nth-child(3)").all()
    numbers = [float(cell.get_attribute("data-order")) for cell in cells]
    assert numbers == sorted(numbers)
    assert table.locator("th[aria-sort=ascending]").inner_text().startswith("value")
    gate.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    names = table.locator("tbody th").all_inner_texts()
    assert names == sorted(names, reverse=True)
    assert len(names) == len(metrics["gates"])


@pytest.mark.slow
def test_it_fits_a_phone_in_dark_without_scrolling_sideways(finalized: Path, browser: "Browser") -> None:
    phone = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True)
    phone.goto((finalized / "report.html").as_uri())
    phone.wait_for_function("document.documentElement.dataset.drawn === 'all'")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    background = phone.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 64
    ink = phone.evaluate("document.querySelector('#figure-1 .ytick text').style.fill")
    assert min(map(int, re.findall(r"\d+", ink)[:3])) > 128
    phone.close()


def test_each_refit_is_a_point_beside_its_search_score(page: Any, metrics: dict[str, Any]) -> None:
    (number,) = numbers_of(page, "in the search")
    traces = drawn(page, number)
    assert traces["refits, a seed each"]["x"] == [refit["name"] for refit in metrics["refits"]]
    assert traces["in the search"]["y"] == [s["search_value"] for s in metrics["selection"].values()]


def test_the_same_metrics_give_the_same_bytes(
    finalized: Path, metrics: dict[str, Any], searched_run: Run, tmp_path: Path
) -> None:
    write_html_report(metrics, tmp_path / "report.html", searched_run, load_bundle(finalized))
    assert (tmp_path / "report.html").read_bytes() == (finalized / "report.html").read_bytes()


def text_of(metrics: dict[str, Any], folder: Path) -> str:
    """What a page of these metrics says, without the search."""
    write_html_report(metrics, folder / "report.html", "There was no search.")
    return html.unescape((folder / "report.html").read_text())


def decided_over_seeds(metrics: dict[str, Any]) -> dict[str, Any]:
    """The same metrics of a selection by the mean over seeds."""
    rows = {name: {**row, "as_exported": None} for name, row in metrics["selection"].items()}
    return {**metrics, "selection": rows}


def test_the_seeds_that_are_counted_are_the_winners(metrics: dict[str, Any], tmp_path: Path) -> None:
    seeds = [{**metrics["refits"][-1], "name": metrics["winner"]["name"], "seed": n} for n in (1, 2, 3)]
    searched = {**metrics["refits"][0], "name": "another configuration", "seed": 0}
    decided = decided_over_seeds(metrics)
    assert "averaged over 3 seeds" in text_of({**decided, "refits": [searched, *seeds]}, tmp_path)


def test_the_choice_names_the_metric_of_the_search_and_its_direction(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    assert "the lowest NLL on val of what would be exported" in text_of(metrics, tmp_path)
    decided = decided_over_seeds(metrics)
    assert "the lowest NLL on val, averaged over 1 seed" in text_of(decided, tmp_path)
    by_top1 = {**decided, "selection_metric": "val_top1"}
    by_top1["refits"] = [{**refit, "val_top1": 0.5} for refit in metrics["refits"]]
    assert "the highest val_top1 on val, averaged over 1 seed" in text_of(by_top1, tmp_path)


def test_a_refit_that_failed_is_reported_with_its_reason(metrics: dict[str, Any], tmp_path: Path) -> None:
    failed = {**metrics["refits"][-1], "seed": 7, "error": "Training needs a loss below 1e6."}
    failed |= {metrics["selection_metric"]: None}
    text = text_of({**metrics, "refits": [*metrics["refits"], failed]}, tmp_path)
    assert "Failed: trial 1 with seed 7: Training needs a loss below 1e6." in text


def test_what_is_not_known_is_reported_and_breaks_no_report(metrics: dict[str, Any], tmp_path: Path) -> None:
    poor = copy.deepcopy(metrics)
    poor["as_selected"] = poor["research_default"] = None
    poor["gains"].pop("research_default")
    poor["latency"] |= {"node": None, "node_reason": "Node is not installed"}
    poor["calibration"] |= {"reliability_val": None, "warning": "val has 31 people, under 200"}
    poor["calibration"]["compared_on_val"] |= {"isotonic": None, "best": "none"}
    poor["test"] |= {"tenure_coverage": None, "tenure_coverage_reason": "no next role has a known tenure"}
    poor["test"] |= {"hireability_auc": None, "hireability_auc_reason": "all 9 known outcomes are the same"}
    for rows in poor["segments"].values():
        for row in rows:
            row |= {"tenure_coverage": None, "tenure_width_months": None}
    text = text_of(poor, tmp_path)
    for sentence in (
        "val has 31 people, under 200",
        "By Brier score none would be better here",
        "Not known: no next role has a known tenure",
        "AUC not known: all 9 known outcomes are the same",
        "Not measured in Node: Node is not installed",
    ):
        assert sentence in text
    assert "> val has 31 people, under 200." in report_text(poor)


def test_the_backtest_of_the_run_is_shown(searched_run: Run, metrics: dict[str, Any], tmp_path: Path) -> None:
    run = open_run(shutil.copytree(Path(str(searched_run.path)), tmp_path / "run"))
    write_html_report(metrics, tmp_path / "without.html", run)
    (tmp_path / "run" / FOLDER).mkdir()
    (tmp_path / "run" / FOLDER / RESULT).write_text(json.dumps(backtested()), "utf-8")
    write_html_report(metrics, tmp_path / "with.html", run)
    has = [
        "How a model ages" in (tmp_path / name).read_text("utf-8") for name in ("without.html", "with.html")
    ]
    assert has == [False, True]
