"""Figures of a run for notebooks: the best value by trial, learning curves, values by param."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from trajtune.errors import RunError
from trajtune.experiment.objective import DIRECTIONS, best_epoch, cost, label
from trajtune.searching.runs.tables import trials_of
from trajtune.searching.study.trial_records import TrialRecord
from trajtune.storage.path import StoredPath

_IN_A_ROW: Final = 3


def figure(
    kind: str,
    path: StoredPath,
    metric: str,
    searched: Sequence[str],
    baselines: Mapping[str, Mapping[str, float | None]],
) -> Any:
    """A plotly figure of the run in a directory; see `Run.plot`. ``baselines`` are val metrics by name.

    Raises:
        RunError: If there is no such figure or metric, or no trial has a result yet.
    """
    draw = _FIGURES.get(kind)
    if draw is None:
        raise RunError(f"A figure must be one of {', '.join(_FIGURES)}, but got {kind!r}. Give one of these.")
    if metric not in DIRECTIONS:
        raise RunError(
            f"A metric must be one of {', '.join(DIRECTIONS)}, but got {metric!r}. Give one of these."
        )
    with_result = [trial for trial in trials_of(path) if _value(trial, metric) is not None]
    if not with_result:
        raise RunError("No trial has a result yet, so nothing can be drawn. Search first.")
    values = {name: value for name, of in baselines.items() if (value := of.get(metric)) is not None}
    best = sorted(values, key=lambda name: cost(metric, values[name]))[:1]
    return draw(with_result, metric, searched, {f"best baseline: {name}": values[name] for name in best})


def _history(
    trials: Sequence[TrialRecord], metric: str, searched: Sequence[str], marks: Mapping[str, float]
) -> Any:
    """The value of each trial, the best so far, and lines for what it must beat."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    for state, name in (("COMPLETE", "complete"), ("PRUNED", "stopped early"), ("RUNNING", "running")):
        of_state = [trial for trial in trials if trial.state == state]
        if of_state:
            drawn.add_scatter(
                name=name,
                mode="markers",
                x=[trial.number for trial in of_state],
                y=[_value(trial, metric) for trial in of_state],
                text=[trial.origin for trial in of_state],
            )
    best: list[float] = []
    for trial in trials:
        value = _value(trial, metric)
        assert value is not None, "they were chosen by it"
        best.append(value if not best else min(best[-1], value, key=lambda each: cost(metric, each)))
    numbers = [trial.number for trial in trials]
    drawn.add_scatter(name="best so far", mode="lines", line_shape="hv", x=numbers, y=best)
    for name, value in marks.items():
        drawn.add_hline(y=value, line_dash="dot", annotation_text=name)
    return drawn.update_layout(xaxis_title="trial", yaxis_title=label(metric))


def _curves(
    trials: Sequence[TrialRecord], metric: str, searched: Sequence[str], marks: Mapping[str, float]
) -> Any:
    """The value of each trial by epoch."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    for trial in trials:
        drawn.add_scatter(
            name=f"trial {trial.number}",
            mode="lines+markers",
            x=[epoch["epoch"] for epoch in trial.epochs],
            y=[epoch.get(metric) for epoch in trial.epochs],
        )
    return drawn.update_layout(xaxis_title="epoch", yaxis_title=label(metric))


def _params(
    trials: Sequence[TrialRecord], metric: str, searched: Sequence[str], marks: Mapping[str, float]
) -> Any:
    """The value of each trial by each searched param."""
    from plotly.subplots import make_subplots

    rows = -(-len(searched) // _IN_A_ROW)
    drawn = make_subplots(
        rows, min(len(searched), _IN_A_ROW), shared_yaxes=True, subplot_titles=list(searched)
    )
    for place, name in enumerate(searched):
        drawn.add_scatter(
            mode="markers",
            showlegend=False,
            x=[trial.params.get(name) for trial in trials],
            y=[_value(trial, metric) for trial in trials],
            text=[f"trial {trial.number}" for trial in trials],
            row=place // _IN_A_ROW + 1,
            col=place % _IN_A_ROW + 1,
        )
    return drawn.update_layout(height=120 + 220 * rows).update_yaxes(title=label(metric), col=1)


_FIGURES: Final[Mapping[str, Callable[..., Any]]] = {
    "history": _history,
    "curves": _curves,
    "params": _params,
}


def _value(trial: TrialRecord, metric: str) -> float | None:
    """The metric at the trial's best epoch of it."""
    best = best_epoch([epoch for epoch in trial.epochs if metric in epoch], metric)
    return None if best is None else float(best[metric])
