"""Measure how a model ages: compare the first origin's model with the model of each later window."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from trajtune.finalizing.evaluate.bootstrap import Gain, gain
from trajtune.finalizing.evaluate.significance import ONE_SIDED, holm
from trajtune.model.predictions import Predictions
from trajtune.page.format import metric_value

_DAYS_A_YEAR: Final = 365.25


def age(origin: date, first: date, until: date, old: Predictions, fresh: Predictions) -> dict[str, Any]:
    """Compare the old model with the one that was trained when the window began, on the same people.

    Args:
        origin: The day of the old model.
        first: First day of the window, the day of the fresh model.
        until: First day after the window.
        old: Predictions of the old model for the last moves.
        fresh: Predictions of the fresh model, in its own vocabulary.

    Returns:
        ``first``, ``until``, ``years`` (age of the old model when the window begins), ``people``,
        ``both_know`` (number of next titles in both vocabularies), ``nll`` and ``fresh_nll`` on these,
        ``top1`` and ``fresh_top1`` on everybody, and ``loss``: the loss of the old model in NLL and top-1,
        as a `Gain` of the fresh model.
    """
    both = (old.rank > 0) & (fresh.rank > 0)
    gains = gain(fresh, old)
    return {
        "first": first.isoformat(),
        "until": until.isoformat(),
        "years": (first - origin).days / _DAYS_A_YEAR,
        "people": len(old),
        "both_know": int(both.sum()),
        "nll": float(old.nll[both].mean()) if both.any() else None,
        "fresh_nll": float(fresh.nll[both].mean()) if both.any() else None,
        "top1": float(old.correct.mean()) if len(old) else None,
        "fresh_top1": float(fresh.correct.mean()) if len(fresh) else None,
        "loss": {name: gains[name] for name in ("nll", "top1")},
    }


def retraining(origin: date, ages: Sequence[Mapping[str, Any]]) -> str:
    """Say in a sentence how often to retrain, with the numbers that show it.

    A loss counts if it is more than chance in NLL or in top-1, with Holm's correction over all windows.

    Args:
        origin: The day of the old model.
        ages: From `age`, by rising age.
    """
    losses: dict[tuple[int, str], Gain] = {
        (i, name): loss
        for i, row in enumerate(ages)
        for name, loss in row["loss"].items()
        if loss is not None
    }
    if not losses:
        return "How often to retrain is not known: no window is later than that of the first origin."
    corrected = holm({f"{i} {name}": loss["p_better"] for (i, name), loss in losses.items()})
    shown = {key: loss for key, loss in losses.items() if corrected[f"{key[0]} {key[1]}"] <= ONE_SIDED}
    oldest = _years(ages[-1]["years"])
    if not shown:
        most = max((loss["high"] for (_, name), loss in losses.items() if name == "nll"), default=None)
        limit = f"; a loss of more than {metric_value(most)} nats is ruled out" if most is not None else ""
        return (
            f"Retraining is not shown to help: the model of {origin} loses no more than chance to models "
            f"trained up to {oldest} later{limit}."
        )
    first = min(i for i, _ in shown)
    row, what = ages[first], {name: loss for (i, name), loss in shown.items() if i == first}
    lost = " and ".join(_lost(name, loss) for name, loss in what.items())
    before = (
        ""
        if first == 0
        else f", and to one trained after {_years(ages[first - 1]['years'])} no loss is shown"
    )
    return (
        f"Retrain before a model is {_years(row['years'])} old: on the moves from {row['first']} until "
        f"{row['until']} the model of {origin} loses {lost} to one trained when they began{before}."
    )


def _lost(name: str, loss: Gain) -> str:
    if name == "nll":
        return f"{loss['gain']:.3f} nats ({loss['low']:.3f} to {loss['high']:.3f}, 95 %)"
    points = [100 * loss[key] for key in ("gain", "low", "high")]
    return "{:.1f} points of top-1 ({:.1f} to {:.1f}, 95 %)".format(*points)


def _years(years: float) -> str:
    """Return an age in words.

    Examples:
        >>> _years(2.04), _years(0.5)
        ('2.0 years', '6 months')
    """
    return f"{years:.1f} years" if years >= 1 else f"{round(12 * years)} months"
