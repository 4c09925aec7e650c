"""Figures of `optuna.visualization` for the report, with its colours and with points that open trials.

Each function gives figures, or one sentence that says why there is none. They show the trials that the
sampler sees; see `search.study.sampled_study`.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trajtune.experiment.objective import DIRECTIONS, cost, label
from trajtune.page.format import number
from trajtune.searching.study.objectives import objectives
from trajtune.searching.study.retries import retried
from trajtune.searching.study.sampled_study import SampledStudy

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

ENOUGH_FOR_IMPORTANCE: Final = 10
"""Fewest complete trials for importances: with ten, the best tenth is one trial."""

SLICES_IN_A_ROW: Final = 3
_SCALE: Final = [(0.0, "#56B4E9"), (0.5, "#0072B2"), (1.0, "#E69F00")]
"""Colours that are visible on white and on black, and distinct to colour-blind readers."""

_NUMBER: Final = re.compile(r'"number": (\d+)')


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        figure: The plotly figure.
        summary: What it shows, in words.
        min_width_px: Narrower screens scroll the figure; 0: it fits every width.
    """

    figure: Any
    summary: str
    min_width_px: int = 0


@retried
def history(study: "optuna.Study") -> list[Figure] | str:
    """The best value by trial; with several objectives the Pareto front of the first and each other one."""
    from optuna import visualization

    study = SampledStudy(study, in_place=True)
    trials = _complete(study)
    if not trials:
        return _nothing(study)
    metrics = objectives(study)
    if len(metrics) == 1:
        with _quiet():
            figure = visualization.plot_optimization_history(study, target_name=label(metrics[0]))
        for trace in figure.data:
            trace.update(
                name={"Best Value": "best so far", "Infeasible Trial": "breaks a constraint"}.get(
                    trace.name, f"{label(metrics[0])} of a trial"
                )
            )
            if trace.mode == "markers":
                trace.update(customdata=list(trace.x))
        best = study.best_trial if any(_is_feasible(trial) for trial in trials) else None
        result = (
            f"the best is {number(best.value)}, of trial {best.number}"
            if best
            else "none keeps every constraint"
        )
        return [Figure(_plain(figure), f"Value of each of {len(trials)} complete trials; {result}.")]
    front = ", ".join(str(trial.number) for trial in study.best_trials)
    figures = []
    for index in range(1, len(metrics)):
        pair = (metrics[0], metrics[index])
        with _quiet():
            figure = visualization.plot_pareto_front(
                study,
                target_names=[label(metric) for metric in pair],
                targets=None if len(metrics) == 2 else _values(0, index),
            )
        for trace in figure.data:
            numbers = [int(_NUMBER.search(text)[1]) for text in trace.text or ()]  # type: ignore[index]
            trace.update(customdata=numbers, marker={"colorscale": _SCALE})
        summary = f"{label(pair[0])} against {label(pair[1])}; the Pareto front is trials {front}."
        figures.append(Figure(_plain(figure), summary))
    return figures


@retried
def importances(study: "optuna.Study") -> list[Figure] | str:
    """How much each searched param decides whether a trial is among the best tenth.

    Computed by PED-ANOVA, which is deterministic (Watanabe et al. 2023).
    """
    from optuna import visualization
    from optuna.importance import PedAnovaImportanceEvaluator

    study = SampledStudy(study, in_place=True)
    trials = _complete(study)
    if len(trials) < ENOUGH_FOR_IMPORTANCE:
        return (
            f"Importances need {ENOUGH_FOR_IMPORTANCE} complete trials, for the best tenth to have one; "
            f"there are {len(trials)}."
        )
    names = _varied(trials)
    if not names:
        return "Every complete trial has the same params, so none can be called important."
    figures = []
    for index, metric in enumerate(objectives(study)):
        with _quiet():
            figure = visualization.plot_param_importances(
                study,
                evaluator=PedAnovaImportanceEvaluator(),
                params=names,
                target=_cost(metric, index),
                target_name=label(metric),
            )
        bars = figure.data[0]
        summary = "; ".join(
            f"{name}: {number(value, 2)}" for name, value in reversed(list(zip(bars.y, bars.x, strict=True)))
        )
        figure.update_layout(
            yaxis={"automargin": True, "title": None}, height=120 + 30 * len(names), xaxis_title="importance"
        )
        figures.append(Figure(_plain(figure), f"Importance for {label(metric)}. {summary}"))
    return figures


@retried
def parallel_coordinates(study: "optuna.Study") -> list[Figure] | str:
    """A line for each complete trial, through its value and its params."""
    from optuna import visualization
    from plotly.colors import sample_colorscale

    study = SampledStudy(study, in_place=True)
    trials = _complete(study)
    names = _varied(trials)
    if not trials or not names:
        return _nothing(study) if not trials else "Every complete trial has the same params."
    metric = objectives(study)[0]
    with _quiet():
        figure = visualization.plot_parallel_coordinate(
            study, params=names, target=_value(0), target_name=label(metric)
        )
    values = [trial.values[0] for trial in trials]
    spread = (max(values) - min(values)) or 1.0
    scale = _scale(metric)
    colours = sample_colorscale(
        [colour for _, colour in scale], [(value - min(values)) / spread for value in values]
    )
    lines = [trace for trace in figure.data if trace.mode == "lines" and trace.y[0] is not None]
    for trace, trial, colour in zip(lines, trials, colours, strict=True):
        trace.update(meta=trial.number, line={"color": colour})
    figure.data[-1].marker.update(colorscale=scale, reversescale=False)
    for trace in figure.data:
        if (
            trace.mode == "lines" and trace.y[0] is None
        ):  # the legend of feasible and infeasible, almost black
            trace.line.color = "#888888"
    figure.update_annotations(font={"color": None})
    figure.layout.plot_bgcolor = None
    figure.update_layout(height=460)
    return [
        Figure(
            _plain(figure),
            f"{len(trials)} complete trials, one line each, through {label(metric)} and {', '.join(names)}.",
            90 * (len(names) + 1),
        )
    ]


@retried
def slices(study: "optuna.Study") -> list[Figure] | str:
    """The value of each complete trial against each param, a few params in a row."""
    from optuna import visualization

    study = SampledStudy(study, in_place=True)
    trials = _complete(study)
    names = _varied(trials)
    if not trials or not names:
        return _nothing(study) if not trials else "Every complete trial has the same params."
    metric = objectives(study)[0]
    figures = []
    for first in range(0, len(names), SLICES_IN_A_ROW):
        row = names[first : first + SLICES_IN_A_ROW]
        with _quiet():
            figure = visualization.plot_slice(study, params=row, target=_value(0), target_name=label(metric))
        for trace in figure.data:
            if trace.name == "Feasible Trial":
                trace.update(customdata=list(trace.marker.color), marker={"colorscale": _SCALE})
        figures.append(
            Figure(_plain(figure), f"{label(metric)} of complete trials by {', '.join(row)}.", 220 * len(row))
        )
    return figures


def _complete(study: "optuna.Study") -> "list[FrozenTrial]":
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _nothing(study: "optuna.Study") -> str:
    pruned = sum(trial.state.name == "PRUNED" for trial in study.get_trials(deepcopy=False))
    return f"No trial is complete yet{f' ({pruned} were stopped early)' if pruned else ''}: nothing to draw."


def _varied(trials: "Sequence[FrozenTrial]") -> list[str]:
    """Params with more than one value among the trials, by name."""
    values: dict[str, set[Any]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(value)
    return sorted(name for name, different in values.items() if len(different) > 1)


def _is_feasible(trial: "FrozenTrial") -> bool:
    return all(violation <= 0 for violation in trial.constraints.values())


def _value(index: int) -> "Callable[[FrozenTrial], float]":
    return lambda trial: trial.values[index]


def _values(*indices: int) -> "Callable[[FrozenTrial], Sequence[float]]":
    return lambda trial: [trial.values[index] for index in indices]


def _cost(metric: str, index: int) -> "Callable[[FrozenTrial], float]":
    """An objective to be minimised, as PED-ANOVA expects it."""
    return lambda trial: cost(metric, trial.values[index])


def _scale(metric: str) -> list[tuple[float, str]]:
    """The colour scale, with the brightest colour for the best values."""
    return (
        _SCALE
        if DIRECTIONS[metric] == "maximize"
        else [(1 - position, colour) for position, colour in _SCALE[::-1]]
    )


def _plain(figure: Any) -> Any:
    """The figure without its title, which is the page's heading, and without a width of its own."""
    figure.update_layout(title=None, width=None)
    return figure


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Optuna's warnings about few trials and conditional params, which the page mentions itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
