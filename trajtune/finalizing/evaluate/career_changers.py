"""Career changers: people whose next title names another occupation.

A model that only repeats the current title scores well on most people, who stay in their occupation. Career
changers reveal such a model, because its prediction is always wrong for them.
"""

# E examples

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.identity.unicode_key import identity
from trajtune.experiment.gate_settings import GateSettings
from trajtune.finalizing.evaluate.lag import predicts_too_much_staying, staying
from trajtune.model.metrics import NEXT_ROLE, next_role
from trajtune.model.predictions import Predictions

# fmt: off
STOP_WORDS: Final = frozenset([
    "a", "an", "and", "at", "by", "for", "in", "of", "on", "or", "the", "to", "with",
    "de", "der", "die", "des", "für", "im", "und", "do", "da", "dos", "das", "e", "em", "para",
    "du", "et", "la", "le", "les", "el", "en", "y", "di", "u",
])
SENIORITY_WORDS: Final = frozenset([
    "junior", "senior", "lead", "leading", "principal", "staff", "chief", "head", "director",
    "vice", "president", "deputy", "assistant", "associate", "executive", "intern", "trainee",
    "entry", "mid", "level", "expert", "fellow", "acting", "interim",
    "i", "ii", "iii", "iv", "v", "1", "2", "3", "4", "5",
])
# fmt: on
SHARED: Final = 0.5
"""A person changes career if a smaller share of the next title's core words is in the current title."""

MOST_STAYING: Final = GateSettings().staying
"""Default of the largest excess of the predicted over the observed share of people who stay."""


@lru_cache(maxsize=200_000)
def core_words(title: str) -> frozenset[str]:
    """Return the words of a title that name an occupation: normalised, without stop words and seniority."""
    return frozenset(identity(title).split()) - STOP_WORDS - SENIORITY_WORDS


def is_change(current: str, following: str) -> bool:
    """Return whether a move changes career.

    It does if the current title has less than half of the next title's core words, or if the titles have
    different numbers that are names. A next title without core words ("Director") names no occupation, so it
    is no change. Numbers up to 5 are grades, and larger numbers are names: Unit 3 and Unit 7 differ, but
    Engineer 3 and Engineer 4 do not.

    Examples:
        >>> is_change("Data Engineer", "Senior Data Engineer"), is_change("Data Engineer", "Nurse")
        (False, True)
        >>> is_change("Unit 3", "Unit 7"), is_change("Engineer 3", "Engineer 4")
        (True, False)
    """
    core = core_words(following)
    if not core:
        return False
    return _is_renumbered(current, following) or len(core & core_words(current)) / len(core) < SHARED


def _is_renumbered(current: str, following: str) -> bool:
    """Return whether both titles have numbers and a number that only one of them has is not a grade."""
    before, after = (
        {word for word in identity(title).split() if word.isdecimal()} for title in (current, following)
    )
    return bool(before and after) and bool((before ^ after) - SENIORITY_WORDS)


def career_changers(current: Sequence[str], following: Sequence[str]) -> NDArray[np.bool_]:
    """Return which transitions change career, bool ``[E]``."""
    return np.fromiter(
        (is_change(a, b) for a, b in zip(current, following, strict=True)), np.bool_, count=len(current)
    )


def evaluate_career_changers(
    predictions: Predictions,
    current_ids: NDArray[np.int32],
    changers: NDArray[np.bool_],
    *,
    most_staying: float = MOST_STAYING,
) -> dict[str, Any]:
    """Return accuracy on career changers, and whether the model lags one step behind.

    Args:
        predictions: Predictions of any predictor, ``[E]``.
        current_ids: Id of the last title that the predictor saw, ``[E]``; 0 is unknown.
        changers: Whether each person changes career, bool ``[E]``, from `career_changers`; if all are true,
            everybody is measured.
        most_staying: Largest excess of the predicted over the observed share of people who stay.

    Returns:
        ``num``, ``top1``, ``top5``, ``mrr``, ``nll`` (None if no next title is known) and
        ``same_title_rate``, the share of predictions equal to the current title (an unknown title is never
        equal). Without a career changer these are None, with a ``reason``. ``one_step_lag_detected`` says
        whether more staying is predicted than observed; None if no current title is known. It is measured on
        everybody, because a rate among changers does not depend on the people who stayed.
    """
    num = int(changers.sum())
    lag = predicts_too_much_staying(staying(predictions, current_ids), most_staying)
    if num == 0:
        undefined = dict.fromkeys((*NEXT_ROLE, "same_title_rate"))
        reason = "no career changer among the examples"
        return {"num": 0, **undefined, "one_step_lag_detected": lag, "reason": reason}
    own, current = predictions.take(changers), current_ids[changers]
    same = float(np.mean((own.top_ids[:, 0] == current) & (current != 0)))
    return {
        "num": num,
        **next_role(own),
        "same_title_rate": same,
        "one_step_lag_detected": lag,
    }
