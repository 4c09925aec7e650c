"""The HTML report of a run that is running, was interrupted or has ended. Never reads the test split."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from trajtune.dataset.report_sections import data_sections
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import SnapshotError
from trajtune.experiment.objective import DIRECTIONS, label
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.page.format import number, significant, words
from trajtune.page.page import Page
from trajtune.searching.repeats import noise_in_words, seed_noise
from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.snapshot_of_run import snapshot_of_run
from trajtune.searching.show import optuna_figures
from trajtune.searching.show.report_trials import IN_WORDS, curves, table, timeline
from trajtune.searching.study.objectives import objectives
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import (
    UNFINISHED,
    TrialRecord,
    best_trial,
    pareto_front,
    read_trials,
    research_default,
)
from trajtune.searching.val_baselines import best_baseline
from trajtune.storage.path import StoredPath


def write_search_report(run: Run, path: StoredPath) -> None:
    """Write the report of a run; the same study and files give the same bytes.

    Args:
        run: The run, in any state.
        path: The file; written atomically.

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
        "Everything here was measured on val, by which the search selects. `trajtune finalize` measures the "
        "winner on test, once."
    )
    _compared(page, run, trials)
    search_sections(page, run)
    if isinstance(snapshot, Snapshot):
        data_sections(page, snapshot.manifest)
    else:
        page.section("Data", snapshot)
    page.write(path)


def search_sections(page: Page, run: Run) -> None:
    """The study in sections: history, importances, params, learning curves, workers and every trial.

    Raises:
        RunError: If the study cannot be read.
    """
    study = read_study(run.path)
    trials, metrics = read_trials(study), objectives(study)
    several = len(metrics) > 1
    page.section(
        "The search: Pareto front" if several else "The search: history",
        "Complete trials. To be better than a trial of the front in one objective is to be worse in another."
        if several
        else "Complete trials by number. Those that were stopped early are in the learning curves. This and "
        "the next figures show what the sampler sees: no research default, no repeats, and no points with "
        "other settings.",
    )
    _figures(page, optuna_figures.history(study))
    page.section(
        "Which parameters matter",
        "How much each decides whether a trial is among the best tenth (PED-ANOVA, which is deterministic). "
        "Importances describe the trials of this search only.",
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
    """Whether the search is running, was interrupted or has ended, and how many trials are in which state."""
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
    best, default = best_trial(trials), research_default(trials)
    if best is None:
        return "No trial has a result that may win yet."
    name = label(metrics[0])
    mean = f" (the mean of {best.seeds} seeds)" if best.seeds > 1 else ""
    verdict = f"The best {name} on val is {number(best.mean_value)}{mean}, of trial {best.number}"
    if default is not None and default.costs:
        gain = default.mean_costs[0] - best.mean_costs[0]
        verdict += (
            f"; the research default has {number(default.value)}, which is {number(abs(gain), 3)} worse"
            if gain > 0
            else "; the research default is the best there is"
            if best is default
            else f"; the research default has {number(default.value)}, which is no worse"
        )
    if baseline := best_baseline(run.baselines(), metrics[0]):
        verdict += f"; the best baseline ({words(baseline[0])}) has {number(baseline[1])}"
    if noise := seed_noise(trials):
        verdict += f". {noise_in_words(noise)}"
    if len(metrics) > 1:
        numbers = ", ".join(str(trial.number) for trial in pareto_front(trials))
        verdict += f". On the Pareto front are trials {numbers}"
    return f"{verdict}."


def _compared(page: Page, run: Run, trials: Sequence[TrialRecord]) -> None:
    """The best trial so far compared with the research default and the baselines."""
    best, default = best_trial(trials), research_default(trials)
    rows: dict[str, Any] = {}
    if best:
        rows[f"best so far (trial {best.number})"] = best.metrics
    if default and default.epochs and default is not best:
        rows[f"research default (trial {default.number})"] = default.metrics
    rows |= {words(name): metrics for name, metrics in run.baselines().items()}
    chosen = run.ngram_choice()
    ngram = f" ngram is {NGramChoice.from_dict(chosen).in_words()}." if chosen else ""
    page.section("The best so far", f"On val, compared with the research default and the baselines.{ngram}")
    if not rows:
        page.note("No trial has ended an epoch, and the baselines are not measured yet.")
        return
    shown = [metric for metric in DIRECTIONS if any(row.get(metric) is not None for row in rows.values())]
    page.table(
        ["predictor", *map(label, shown)],
        [(name, *(significant(row.get(metric)) for metric in shown)) for name, row in rows.items()],
    )


def _snapshot(run: Run) -> Snapshot | str:
    """The run's snapshot, or the reason why it cannot be shown."""
    try:
        return snapshot_of_run(run)
    except SnapshotError as error:
        return f"The run's snapshot {run.snapshot_id[:12]} cannot be shown. {error}"


def _figures(page: Page, figures: "list[optuna_figures.Figure] | str") -> None:
    if isinstance(figures, str):
        page.note(figures)
        return
    for each in figures:
        page.figure(each.figure, each.summary, min_width_px=each.min_width_px)
