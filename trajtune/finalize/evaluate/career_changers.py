"""Career changers: people whose next title names another occupation, where repeating the current title fails.

A model that only repeats the current title scores well on most people, who stay in their occupation.
Career changers expose it: for them it predicts the current title, and is wrong.
"""

# E examples

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.identity.unicode_key import identity
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
"""Below this share of the next title's core words in the current title, a person changes career."""

LAG_LIMIT: Final = 0.5
"""Above this share of changers predicted to keep their title, the model lags one step behind."""


@lru_cache(maxsize=200_000)
def core_words(title: str) -> frozenset[str]:
    """The words of a title that name an occupation: normalised, without stop words and seniority."""
    return frozenset(identity(title).split()) - STOP_WORDS - SENIORITY_WORDS


def is_change(current: str, following: str) -> bool:
    """Whether the current title has under half of the next title's core words.

    A next title without a core word ("Director") names no other occupation, so it is no change.

    Examples:
        >>> is_change("Data Engineer", "Senior Data Engineer"), is_change("Data Engineer", "Nurse")
        (False, True)
    """
    core = core_words(following)
    return bool(core) and len(core & core_words(current)) / len(core) < SHARED


def career_changers(current: Sequence[str], following: Sequence[str]) -> NDArray[np.bool_]:
    """Which transitions change career, bool ``[E]``."""
    return np.fromiter(
        (is_change(a, b) for a, b in zip(current, following, strict=True)), np.bool_, count=len(current)
    )


def evaluate_career_changers(
    predictions: Predictions, current_ids: NDArray[np.int32], changers: NDArray[np.bool_]
) -> dict[str, Any]:
    """Accuracy on career changers, and whether the model only repeats the current title.

    Args:
        predictions: Predictions of any predictor, ``[E]``.
        current_ids: The last title that the predictor saw, ``[E]``; 0 unknown.
        changers: Who changes career, bool ``[E]``: `career_changers`; all true: everybody is measured.

    Returns:
        ``num``, ``top1``, ``top5``, ``mrr``, ``nll`` (null if no next title is known), ``same_title_rate``:
        the share of predictions equal to the current title (an unknown one is never equal), and
        ``one_step_lag_detected``. Without a career changer all but ``num`` are None, with a ``reason``.
    """
    num = int(changers.sum())
    if num == 0:
        undefined = dict.fromkeys((*NEXT_ROLE, "same_title_rate", "one_step_lag_detected"))
        return {"num": 0, **undefined, "reason": "no career changer among the examples"}
    own, current = predictions.take(changers), current_ids[changers]
    same = float(np.mean((own.top_ids[:, 0] == current) & (current != 0)))
    return {
        "num": num,
        **next_role(own),
        "same_title_rate": same,
        "one_step_lag_detected": same > LAG_LIMIT,
    }
