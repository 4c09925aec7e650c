"""The report of a run, in every state of a run, in a real browser."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.searching.show.report_runs import run_of, search
from trajtune.dataset.snapshot import Snapshot
from trajtune.page.format import number
from trajtune.searching.runs.directory import Run
from trajtune.searching.show.report.html import write_search_report
from trajtune.searching.show.timeline import spans, workers
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import TrialRecord, ranked, read_trials

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def ended_best(run: Run) -> TrialRecord:
    return ranked(read_trials(read_study(run.path)))[0]


@pytest.fixture(scope="module")
def ended(small_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = run_of(tmp_path_factory.mktemp("ended"), small_snapshot, 50)
    search(run, 50)
    return run


@pytest.fixture(scope="module")
def page(ended: Run, browser: "Browser") -> Iterator[Any]:
    path = ended.path / "report.html"
    write_search_report(ended, path)
    opened = open_page(path, browser)
    yield opened
    assert opened.faults == []
    opened.close()


def open_page(path: Path, browser: "Browser", **options: Any) -> Any:
    """Open the page and wait until all is drawn; ``faults`` lists its errors and network requests."""
    page: Any = browser.new_page(**options)
    page.faults = []
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("file:", "data:", "blob:")) else page.faults.append(request.url)
        ),
    )
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_function("document.documentElement.dataset.drawn === 'all'")
    return page


@pytest.mark.slow
def test_a_page_with_fifty_trials_has_under_two_and_a_half_megabytes_and_every_figure_is_drawn(
    page: Any, ended: Run
) -> None:
    assert (ended.path / "report.html").stat().st_size < 2_500_000
    figures = page.locator(".figure").all()
    # Curves, history, importances, a slice of each param, all together, workers, two funnels, two of drift.
    assert len(figures) == 9 + len(ended.space.searched)
    for figure in figures:
        assert figure.locator(".main-svg").count() >= 1
        assert figure.get_attribute("aria-label")


def test_the_lead_shows_the_state_and_the_best_trial_beside_default_and_baseline(
    page: Any, ended: Run
) -> None:
    best = ended_best(ended)
    lead = page.locator("p.lead").inner_text()
    assert lead.startswith("Complete: 50 of 50 trials have ended (36 complete, 9 stopped early, 5 failed).")
    assert f"The best NLL on val is {best.value:.3f} nats, of trial {best.number}" in lead
    assert "the best baseline (markov) has 3.100 nats" in lead
    assert "ngram is counts of the last two titles, on last moves, half-life 20" in page.inner_text("main")


def test_a_trials_number_opens_its_params_by_keyboard(page: Any, ended: Run) -> None:
    best = ended_best(ended)
    button = page.locator("button.opens").first
    assert button.inner_text() == str(best.number)
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    assert dialog.locator("h2").inner_text() == f"Trial {best.number}"
    content = dict(
        zip(dialog.locator("dt").all_inner_texts(), dialog.locator("dd").all_inner_texts(), strict=True)
    )
    for name, value in best.params.items():
        assert content[name] == number(value, 6)
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_a_trials_point_opens_its_params(page: Any) -> None:
    point = page.locator("#figure-2 .points path").nth(2)
    trial_number = page.evaluate("document.getElementById('figure-2').data[0].customdata[2]")
    page.locator("#figure-2").scroll_into_view_if_needed()
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#figure-2 .hovertext")
    page.mouse.down()
    page.mouse.up()
    dialog = page.locator("dialog")
    dialog.wait_for(state="visible")
    assert dialog.locator("h2").inner_text() == f"Trial {trial_number}"
    page.keyboard.press("Escape")


def test_the_history_has_the_value_of_every_trial(page: Any, ended: Run) -> None:
    drawn = page.evaluate("document.getElementById('figure-2').data.map(({name, x, y}) => ({name, x, y}))")
    for name, state in (("complete", "COMPLETE"), ("stopped early", "PRUNED"), ("failed", "FAIL")):
        (trace,) = [trace for trace in drawn if trace["name"] == name]
        trials = [trial for trial in read_trials(read_study(ended.path)) if trial.state == state]
        assert trace["x"] == [trial.number for trial in trials]
        assert trace["y"] == pytest.approx([trial.value for trial in trials], rel=1e-4)
    (best,) = [trace for trace in drawn if trace["name"] == "best so far"]
    assert best["y"][-1] == pytest.approx(ended_best(ended).value, rel=1e-4)
    assert best["y"] == sorted(best["y"], reverse=True)
    assert "best baseline (markov)" in [trace["name"] for trace in drawn]


def test_a_failed_trial_shows_its_error_without_running_its_markup(page: Any, ended: Run) -> None:
    failed = next(trial for trial in read_trials(read_study(ended.path)) if trial.state == "FAIL")
    page.locator(f"button.opens[data-record='{failed.number}']").click()
    assert failed.error in page.locator("dialog dd").all_inner_texts()
    assert "<b>" in str(failed.error)
    page.keyboard.press("Escape")


def test_the_table_sorts_numbers_as_numbers(page: Any) -> None:
    table = page.locator("table", has=page.locator("button.opens"))
    table.locator("thead button").first.click()
    numbers = [int(text) for text in table.locator("button.opens").all_inner_texts()]
    assert numbers == sorted(numbers) == list(range(50))


def test_no_two_trials_of_a_worker_overlap_and_each_trial_has_a_worker(ended: Run) -> None:
    found = workers(spans(read_trials(read_study(ended.path))))
    assert sorted(span.trial.number for worker in found for span in worker.spans) == list(range(50))
    for worker in found:
        for before, after in zip(worker.spans, worker.spans[1:], strict=False):
            assert before.end <= after.start


def test_the_same_run_gives_the_same_bytes(ended: Run, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_search_report(ended, tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


_ONE_TRIAL = ["scatter", "scatter", *["bar"] * 5]
"""The figures' traces after one trial, the research default: curves, history, workers, funnels and drift."""


@pytest.mark.parametrize(
    ("trials", "left_running", "lead", "drawn", "instead"),
    [
        (
            *(0, 0, "0 of 12 trials have ended (1 waiting). No trial has a result"),
            *(["bar"] * 4, "No trial has begun yet: nothing to draw."),
        ),
        (
            *(1, 1, "0 of 12 trials have ended (1 not ended)"),
            *(_ONE_TRIAL, "No trial that the sampler sees has a value yet: nothing to draw."),
        ),
        (
            *(1, 0, "1 of 12 trials have ended (1 complete)"),
            *(_ONE_TRIAL, "No trial that the sampler sees has a value yet: nothing to draw."),
        ),
        (
            *(8, 2, "6 of 12 trials have ended (5 complete, 1 stopped early, 2 not ended)"),
            *(None, "Importances need 10 trials with a value"),
        ),
    ],
)
def test_an_interrupted_search_is_shown_with_its_finished_trials(
    small_snapshot: Snapshot,
    tmp_path: Path,
    browser: "Browser",
    trials: int,
    left_running: int,
    lead: str,
    drawn: list[str] | None,
    instead: str,
) -> None:
    run = run_of(tmp_path, small_snapshot, 12)
    if trials:
        search(run, trials, leave_running=left_running)
    write_search_report(run, tmp_path / "report.html")
    page = open_page(tmp_path / "report.html", browser)
    content = page.locator("p.lead").inner_text()
    assert content.startswith("Not running, and not all trials have ended: interrupted, or at its budget")
    assert lead in content
    if drawn is not None:
        assert page.evaluate("FIGURES.map(figure => figure.data[0].type)") == drawn
    assert instead in page.inner_text("main")
    assert page.faults == []
    page.close()


def test_a_running_search_is_shown_as_running(small_snapshot: Snapshot, tmp_path: Path) -> None:
    run = run_of(tmp_path, small_snapshot, 12)
    search(run, 4, leave_running=1)
    with run.locked():
        write_search_report(run, tmp_path / "report.html")
    assert "Running: 3 of 12 trials have ended" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_several_objectives_have_a_pareto_front(
    small_snapshot: Snapshot, tmp_path: Path, browser: "Browser"
) -> None:
    run = run_of(tmp_path, small_snapshot, 14, other_metrics=["val_top1"], pruner={"name": "none"})
    search(run, 14)
    write_search_report(run, tmp_path / "report.html")
    page = open_page(tmp_path / "report.html", browser)
    assert "The search: Pareto front" in page.locator("h2").all_inner_texts()
    assert "On the Pareto front are trials" in page.locator("p.lead").inner_text()
    assert page.faults == []
    page.close()


def test_a_run_without_its_snapshot_is_shown_with_a_note(ended: Run, tmp_path: Path) -> None:
    manifest = copy.deepcopy(dict(ended.manifest))
    manifest["snapshot"]["path"] = str(tmp_path / "gone")
    lost = Run(ended.path, ended.experiment, ended.space, json.loads(json.dumps(manifest)))
    write_search_report(lost, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "cannot be shown. " in page
    assert str(tmp_path / "gone") in page
