"""The HTML report of a run that is running, was interrupted or has ended. Never reads the test split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trajtune.dataset.report_sections import data_sections
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import SnapshotError
from trajtune.experiment.objective import DIRECTIONS, label
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.page.colours import BASELINE, DEFAULT, MODEL
from trajtune.page.first_screen import FirstScreen, Headline, Other, Tone
from trajtune.page.format import words
from trajtune.page.page import Page
from trajtune.page.units import metric as in_units
from trajtune.searching.repeats import noise_in_words, seed_noise
from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.snapshot_of_run import snapshot_of_run
from trajtune.searching.show.report import history, params
from trajtune.searching.show.report.history import IN_WORDS
from trajtune.searching.show.report.trials import table, timeline
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
    page = Page(
        f"Search {run.name}",
        f"{search_state(run, trials)} {_verdict(run, trials, metrics)}",
        _first_screen(run, trials, metrics),
    )
    snapshot = _snapshot(run)
    if isinstance(snapshot, Snapshot) and snapshot.manifest["source"]["kind"] == "simulated":
        page.warning("The careers are SIMULATED: these numbers do not say how good the model is on people.")
    page.warning(
        "Everything here was measured on val, by which the search selects. `trajtune finalize` measures the "
        "winner on test, once."
    )
    page.group("Result")
    _compared(page, run, trials)
    page.group("How it was searched")
    search_sections(page, run)
    page.group("Data")
    if isinstance(snapshot, Snapshot):
        data_sections(page, snapshot.manifest)
    else:
        page.section("Data", snapshot)
    page.write(path)


def search_sections(page: Page, run: Run) -> None:
    """The study in sections: learning curves, history, importances, params, every trial and workers.

    Raises:
        RunError: If the study cannot be read.
    """
    study = read_study(run.path)
    trials, metrics = read_trials(study), objectives(study)
    history.curves(page, trials, metrics)
    if len(metrics) > 1:
        history.pareto(page, trials, metrics)
    else:
        history.history(page, trials, metrics[0], run.baselines())
    params.importances(page, study, metrics)
    params.one_by_one(page, trials, metrics[0], run.space)
    params.together(page, trials, metrics[0], run.space)
    table(page, trials, metrics, list(run.space.searched))
    timeline(page, trials)


def search_state(run: Run, trials: Sequence[TrialRecord]) -> str:
    """Whether the search is running, was interrupted or has ended, and how many trials are in which state."""
    counts = Counter(trial.state for trial in trials)
    ended = sum(trial.state not in UNFINISHED for trial in trials)
    doing = _DOING[_state(run, trials)]
    states = ", ".join(f"{counts[state]} {name}" for state, name in IN_WORDS.items() if counts[state])
    return f"{doing}: {ended} of {run.requested} trials have ended{f' ({states})' if states else ''}."


def _state(run: Run, trials: Sequence[TrialRecord]) -> str:
    """A key of `_DOING`."""
    if run.is_searching():
        return "running"
    ended = sum(trial.state not in UNFINISHED for trial in trials)
    is_open = ended < run.requested or any(trial.state in UNFINISHED for trial in trials)
    return "interrupted" if is_open else "complete"


def _first_screen(run: Run, trials: Sequence[TrialRecord], metrics: Sequence[str]) -> FirstScreen:
    state = _state(run, trials)
    badge, tone, next_step = _SCREENS[state]
    best = best_trial(trials)
    shown = [metrics[0], *(metric for metric in _HEADLINES if metric != metrics[0])][:3]
    return FirstScreen(
        badge=badge,
        tone=tone,
        headlines=[_headline(run, trials, best, metric) for metric in shown if metric in best.metrics]
        if best
        else [],
        why=[("What to do next", next_step.format(run=run.name))],
    )


def _headline(run: Run, trials: Sequence[TrialRecord], best: TrialRecord, metric: str) -> Headline:
    default, baseline = research_default(trials), best_baseline(run.baselines(), metric)
    others = []
    if baseline:
        others.append(
            Other(
                f"best baseline ({words(baseline[0])})",
                in_units(metric, baseline[1]).text,
                baseline[1],
                BASELINE,
            )
        )
    if default and default.metrics.get(metric) is not None:
        value = default.metrics[metric]
        others.append(Other("research default", in_units(metric, value).text, value, DEFAULT))
    more_is_better = DIRECTIONS[metric] == "maximize"
    return Headline(
        name=f"{_HEADLINES.get(metric, label(metric))}, val, trial {best.number}",
        text=in_units(metric, best.metrics[metric]).text,
        value=best.metrics[metric],
        colour=MODEL,
        others=others,
        note="More is better." if more_is_better else "Less is better.",
        higher_is_better=more_is_better,
    )


def _verdict(run: Run, trials: Sequence[TrialRecord], metrics: Sequence[str]) -> str:
    best, default = best_trial(trials), research_default(trials)
    if best is None:
        return "No trial has a result that may win yet."
    name = label(metrics[0])
    mean = f" (the mean of {best.seeds} seeds)" if best.seeds > 1 else ""
    value = in_units(metrics[0], best.mean_value).text
    verdict = f"The best {name} on val is {value}{mean}, of trial {best.number}"
    if default is not None and default.costs:
        gain = default.mean_costs[0] - best.mean_costs[0]
        verdict += (
            f"; the research default has {in_units(metrics[0], default.value).text}, which is "
            f"{in_units(metrics[0], abs(gain)).text} worse"
            if gain > 0
            else "; the research default is the best trial"
            if best is default
            else f"; the research default has {in_units(metrics[0], default.value).text}, which is no worse"
        )
    if baseline := best_baseline(run.baselines(), metrics[0]):
        verdict += f"; the best baseline ({words(baseline[0])}) has {in_units(metrics[0], baseline[1]).text}"
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
        [(name, *(in_units(metric, row.get(metric)) for metric in shown)) for name, row in rows.items()],
    )


def _snapshot(run: Run) -> Snapshot | str:
    """The run's snapshot, or the reason why it cannot be shown."""
    try:
        return snapshot_of_run(run)
    except SnapshotError as error:
        return f"The run's snapshot {run.snapshot_id[:12]} cannot be shown. {error}"


_DOING: Final = {
    "running": "Running",
    "interrupted": "Not running, and not all trials have ended: interrupted, or at its budget",
    "complete": "Complete",
}
_SCREENS: Final[Mapping[str, tuple[str, Tone, str]]] = {
    "running": ("Running", "open", "Wait, or watch it with `trajtune status {run}`."),
    "interrupted": (
        "Not complete",
        "open",
        "Continue with `trajtune search --resume {run}`, or use what there is with `trajtune finalize "
        "{run}`.",
    ),
    "complete": (
        "Complete",
        "good",
        "Run `trajtune finalize {run}`. It trains the best configurations again, exports the winner and "
        "measures it on test.",
    ),
}
"""Badge, tone and next step by the state of the search."""

_HEADLINES: Final = {
    "val_next_role_nll": "NLL",
    "val_top1": "First guess right",
    "val_top5": "In the first five",
}
"""The metrics of the first screen, after the one that is searched for."""
