"""A run as a page, whatever its state: running, interrupted or ended. Reads the run, and never test."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from trajtune.dataset.report_sections import data_sections
from trajtune.dataset.snapshot import Snapshot, open_snapshot
from trajtune.errors import SnapshotError
from trajtune.experiment.objective import DIRECTIONS, label
from trajtune.page.format import number, significant, words
from trajtune.page.page import Page
from trajtune.search.runs.directory import Run
from trajtune.search.show import optuna_figures
from trajtune.search.show.report_trials import IN_WORDS, curves, table, timeline
from trajtune.search.study.study import objectives, read_study
from trajtune.search.study.trial_records import (
    UNFINISHED,
    TrialRecord,
    pareto_front,
    ranked,
    read_trials,
    research_default,
)
from trajtune.search.val_baselines import best_baseline
from trajtune.storage.path import StoredPath


def write_search_report(run: Run, path: StoredPath) -> None:
    """Write the page of a run; the same study and files give the same bytes.

    Args:
        run: Searched, being searched, or interrupted.
        path: The file; written beside and renamed.

    Raises:
        RunError: If its study cannot be read.
    """
    study = read_study(run.path)
    trials, metrics = read_trials(study), objectives(study)
    page = Page(f"Search {run.name}", f"{search_state(run, trials)} {_verdict(run, trials, metrics)}")
    snapshot = _snapshot(run)
    if isinstance(snapshot, Snapshot) and snapshot.manifest["source"]["kind"] == "simulated":
        page.warning("The careers are SIMULATED: nothing here says how good it is on people.")
    page.warning(
        "Everything here was measured on val, which the search has chosen on. How good the winner is on "
        "test, trajtune finalize says, once."
    )
    _compared(page, run, trials)
    search_sections(page, run)
    if isinstance(snapshot, Snapshot):
        data_sections(page, snapshot.manifest)
    else:
        page.section("Data", snapshot)
    page.write(path)


def search_sections(page: Page, run: Run) -> None:
    """What the study says: history, importances, params, learning curves, workers and every trial.

    Raises:
        RunError: If the study cannot be read.
    """
    study = read_study(run.path)
    trials, metrics = read_trials(study), objectives(study)
    several = len(metrics) > 1
    page.section(
        "The search: Pareto front" if several else "The search: history",
        "Complete trials; nothing beats one of the front in one objective without being worse in another."
        if several
        else "Complete trials by number. Those that were stopped early stand in the learning curves.",
    )
    _figures(page, optuna_figures.history(study))
    page.section(
        "Which parameters matter",
        "How much each decides whether a trial is among the best tenth (PED-ANOVA, nothing drawn at random). "
        "Importance is of this search's trials, not a law.",
    )
    _figures(page, optuna_figures.importances(study))
    page.section("Parameters together", "A line is a complete trial.")
    _figures(page, optuna_figures.parallel_coordinates(study))
    page.section("Parameters one by one", "Complete trials; the colour is the trial's number.")
    _figures(page, optuna_figures.slices(study))
    curves(page, trials, metrics)
    timeline(page, trials)
    table(page, trials, metrics, list(run.space.searched))


def search_state(run: Run, trials: Sequence[TrialRecord]) -> str:
    """Whether the search runs, was interrupted or has ended, and how many trials are in which state."""
    counts = Counter(trial.state for trial in trials)
    ended = sum(trial.state not in UNFINISHED for trial in trials)
    if run.is_searching():
        doing = "Running"
    elif ended < run.requested or any(trial.state in UNFINISHED for trial in trials):
        doing = "Not running, and not all trials have ended: interrupted, or at its budget"
    else:
        doing = "Complete"
    states = ", ".join(f"{counts[state]} {name}" for state, name in IN_WORDS.items() if counts[state])
    return f"{doing}: {ended} of {run.requested} trials have ended{f' ({states})' if states else ''}."


def _verdict(run: Run, trials: Sequence[TrialRecord], metrics: Sequence[str]) -> str:
    best, default = next(iter(ranked(trials)), None), research_default(trials)
    if best is None:
        return "No trial has a result that may win yet."
    name = label(metrics[0])
    said = f"The best {name} on val is {number(best.value)}, of trial {best.number}"
    if default is not None and default.costs:
        gain = default.costs[0] - best.costs[0]
        said += (
            f"; the research default has {number(default.value)}, which is {number(abs(gain), 3)} worse"
            if gain > 0
            else "; the research default is the best there is"
            if best is default
            else f"; the research default has {number(default.value)}, which is no worse"
        )
    if baseline := best_baseline(run.baselines(), metrics[0]):
        said += f"; the best one-line rule ({words(baseline[0])}) has {number(baseline[1])}"
    if len(metrics) > 1:
        numbers = ", ".join(str(trial.number) for trial in pareto_front(trials))
        said += f". On the Pareto front are trials {numbers}"
    return f"{said}."


def _compared(page: Page, run: Run, trials: Sequence[TrialRecord]) -> None:
    """The winner so far beside the research default and the baselines."""
    best, default = next(iter(ranked(trials)), None), research_default(trials)
    rows: dict[str, Any] = {}
    if best:
        rows[f"best so far (trial {best.number})"] = best.metrics
    if default and default.epochs and default is not best:
        rows[f"research default (trial {default.number})"] = default.metrics
    rows |= {words(name): found for name, found in run.baselines().items()}
    page.section("The best so far", "On val, beside the research default and the one-line rules.")
    if not rows:
        page.note("No trial has ended an epoch, and the one-line rules are not measured yet.")
        return
    shown = [metric for metric in DIRECTIONS if any(row.get(metric) is not None for row in rows.values())]
    page.table(
        ["predictor", *map(label, shown)],
        [(name, *(significant(row.get(metric)) for metric in shown)) for name, row in rows.items()],
    )


def _snapshot(run: Run) -> Snapshot | str:
    """The run's snapshot, or why it cannot be shown."""
    try:
        return open_snapshot(run.snapshot_path)
    except SnapshotError as error:
        return f"The run's snapshot {run.snapshot_id[:12]} cannot be shown. {error}"


def _figures(page: Page, drawn: "list[optuna_figures.Drawn] | str") -> None:
    if isinstance(drawn, str):
        page.note(drawn)
        return
    for each in drawn:
        page.figure(each.figure, each.summary, min_width_px=each.min_width_px)
