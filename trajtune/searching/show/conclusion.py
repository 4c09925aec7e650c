"""What a finished search found, in a few lines: the gain, the params that mattered, and what to do next."""

import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from trajtune.experiment.params import Params
from trajtune.experiment.space import Choice, FloatRange, IntRange
from trajtune.notebook import is_notebook
from trajtune.page.format import metric_value, number, significant
from trajtune.searching.repeats import noise_in_words, seed_noise
from trajtune.searching.runs.directory import Run
from trajtune.searching.show.importance import param_importances
from trajtune.searching.study.objectives import objectives
from trajtune.searching.study.origins import REFERENCE_ORIGINS, TRAINING_ORIGIN
from trajtune.searching.study.trial_records import TrialRecord, best_trial
from trajtune.searching.val_baselines import best_baseline

if TYPE_CHECKING:
    import optuna

    from trajtune.searching.runs.log import RunLog

_AT_EDGE: Final = 0.02
"""Share of a range, at each end, in which a value counts as at the edge."""

_PARAMS_SHOWN: Final = 4


def print_conclusion(
    run: Run, study: "optuna.Study", trials: Sequence[TrialRecord], log: "RunLog | None" = None
) -> None:
    """Print what the search found to stderr: a table on a terminal, else a line for each finding."""
    found = list(findings(run, study, trials))
    for label, text in found:
        if log:
            print(f"{label}: {text}", file=log)
        if not sys.stderr.isatty():
            # A notebook shows stderr in red.
            print(f"{label}: {text}", file=sys.stdout if is_notebook() else sys.stderr)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        for label, text in found:
            grid.add_row(Text(label, style="bold"), Text(text))
        Console(stderr=True, highlight=False).print(grid)


def findings(run: Run, study: "optuna.Study", trials: Sequence[TrialRecord]) -> Iterator[tuple[str, str]]:
    """A label and a sentence for each finding; nothing without a trial that may win."""
    best = best_trial(trials)
    if best is None:
        return
    yield "best", _best_in_words(run, best)
    if gain := _gain_in_words(trials, best):
        yield "gain", gain
    if important := important_params(study):
        shares = ", ".join(f"{name} {number(share, 2)}" for name, share in important)
        yield "mattered", f"{shares} (importance by PED-ANOVA)"
    if edges := params_at_edge(run, best):
        yield "at the edge", f"{', '.join(edges)}; widen the space there to look further"
    yield "run", str(run.path)
    yield "next", f"`trajtune finalize {run.reference}`; `trajtune report {run.reference}` shows the search"


def important_params(study: "optuna.Study") -> list[tuple[str, float]]:
    """The params that decided most whether a trial was among the best, with their importance in 0..1.

    Returns:
        Nothing for a study of several objectives, or of fewer trials than an importance needs.
    """
    metrics = objectives(study)
    found = param_importances(study, metrics) if len(metrics) == 1 else ""
    return [] if isinstance(found, str) else list(found[metrics[0]].items())[:_PARAMS_SHOWN]


def params_at_edge(run: Run, best: TrialRecord) -> list[str]:
    """The best trial's searched values at an end of their range, where a value beyond it would be valid."""
    found = []
    for name, entry in run.space.searched.items():
        value = best.params.get(name)
        if isinstance(entry, Choice) or not isinstance(value, int | float) or isinstance(value, bool):
            continue
        for end, other in ((entry.low, entry.high), (entry.high, entry.low)):
            if _is_near(value, end, other, entry) and _is_valid(name, _beyond(end, other, entry)):
                found.append(f"{name} {significant(value, 3)} ({entry.low:g} to {entry.high:g})")
                break
    return found


def _best_in_words(run: Run, best: TrialRecord) -> str:
    metric = run.experiment.search.metric
    seeds = f", mean of {best.seeds} seeds" if best.seeds > 1 else ""
    origin = REFERENCE_ORIGINS.get(best.origin or "")
    trial = f"trial {best.number}{f', the {origin}' if origin else ''}"
    text = f"{trial}: {metric} {metric_value(best.mean_value)}{seeds}"
    if baseline := best_baseline(run.baselines(), metric):
        text += f"; best baseline {metric_value(baseline[1])} ({baseline[0]})"
    return text


def _gain_in_words(trials: Sequence[TrialRecord], best: TrialRecord) -> str | None:
    """By how much the best trial beats the experiment's own params, and whether that may be luck."""
    training = next((trial for trial in trials if trial.origin == TRAINING_ORIGIN and trial.mean_costs), None)
    if training is None or training.number == best.number:
        return None
    gain = training.mean_costs[0] - best.mean_costs[0]
    noise = seed_noise(trials)
    luck = f"{noise_in_words(noise)}" if noise else "the noise of a seed was not measured"
    return f"{number(gain, 3)} over the experiment's `training`; {luck}"


def _is_near(value: float, end: float, other: float, entry: FloatRange | IntRange) -> bool:
    if entry.log:
        value, end, other = math.log(value), math.log(end), math.log(other)
    return abs(value - end) <= _AT_EDGE * abs(other - end)


def _beyond(end: float, other: float, entry: FloatRange | IntRange) -> Any:
    """A value a little outside a range: a tenth of it further, or twice or half of it on a log scale."""
    doubled = end * 2 if end > other else end / 2
    further = doubled if entry.log else end + (end - other) / 10
    if isinstance(entry, IntRange):
        return math.ceil(further) if end > other else math.floor(further)
    return further


def _is_valid(name: str, value: Any) -> bool:
    try:
        Params.model_validate({name: value})
    except ValidationError:
        return False
    return True
