"""For whom the model is good: the same metrics by length of history, level, known last title and quarter."""

# E examples

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.finalize.evaluate.last_transitions import Moves
from trajtune.finalize.export.graph_predictions import Replayed
from trajtune.model.metrics import expected_calibration_error
from trajtune.model.predictions import Predictions

LEVELS: Final = (
    (
        "entry",
        frozenset({"intern", "trainee", "junior", "assistant", "apprentice", "praktikant", "estagiario"}),
    ),
    (
        "executive",
        frozenset({"chief", "president", "ceo", "cto", "cfo", "coo", "partner", "founder", "owner"}),
    ),
    (
        "manager",
        frozenset({"manager", "head", "director", "vice", "supervisor", "leiter", "gerente", "diretor"}),
    ),
    ("senior", frozenset({"senior", "lead", "principal", "staff", "expert"})),
)
"""Words that tell a title's level; the first row that matches counts."""

OTHER_LEVEL: Final = "no level named"
VICE_PRESIDENT: Final = frozenset({"vice", "president"})


def by_segment(
    replayed: Replayed, others: Mapping[str, Predictions], moves: Moves, split_dates: pa.Array
) -> dict[str, list[dict[str, Any]]]:
    """Metrics of the graph by four ways to part the people.

    Args:
        replayed: What the graph says.
        others: What baselines say of the same people, by name.
        moves: Of whom.
        split_dates: date32 ``[E]``.

    Returns:
        By way, a row a segment that has people, in a fixed order: ``segment``, ``num``, ``top1``,
        ``top5``, ``nll``, ``ece``, ``num_tenures``, ``tenure_coverage`` and ``tenure_width_months``, and
        under ``others`` each one's ``top1``, ``top5`` and ``nll``; None where undefined.
    """
    ways: dict[str, tuple[NDArray[np.str_], Callable[[str], Any]]] = {
        "history_length": (_lengths(moves.examples.length), _LENGTHS.index),
        "level": (np.array([level_of(words) for words in moves.current_words]), _LEVEL_NAMES.index),
        "last_title": (np.where(moves.current_ids == 0, "unknown", "known"), str),
        "quarter": (_quarters(split_dates), str),
    }
    return {
        way: [
            _row(name, labels == name, replayed, others) for name in sorted(set(labels.tolist()), key=order)
        ]
        for way, (labels, order) in ways.items()
    }


def level_of(words: frozenset[str]) -> str:
    """The level that a title's words name; "vice president" is a manager's."""
    rest = words - {"president"} if words >= VICE_PRESIDENT else words
    return next((level for level, signs in LEVELS if rest & signs), OTHER_LEVEL)


_LENGTHS: Final = ["1 role", "2 roles", "3 to 4 roles", "5 to 9 roles", "10 or more roles"]
_LEVEL_NAMES: Final = ["entry", OTHER_LEVEL, "senior", "manager", "executive"]


def _lengths(length: NDArray[np.int64]) -> NDArray[np.str_]:
    return np.array(_LENGTHS)[np.digitize(length, [2, 3, 5, 10])]


def _quarters(dates: pa.Array) -> NDArray[np.str_]:
    months = (
        dates.cast(pa.int32()).to_numpy().astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    )
    return np.array([f"{1970 + month // 12}-Q{month % 12 // 3 + 1}" for month in months.tolist()], np.str_)


def _row(
    name: str, here: NDArray[np.bool_], replayed: Replayed, others: Mapping[str, Predictions]
) -> dict[str, Any]:
    p = replayed.predictions
    ended = here & ~np.isnan(p.tenure_months)
    lower, upper, months = p.tenure[ended, 0], p.tenure[ended, 1], p.tenure_months[ended]
    return {
        "segment": name,
        "num": int(here.sum()),
        **_next_role(here, p),
        "ece": expected_calibration_error(replayed.calibrated[here], p.correct[here]),
        "num_tenures": len(months),
        "tenure_coverage": float(np.mean((lower <= months) & (months <= upper))) if len(months) else None,
        "tenure_width_months": float(np.mean(upper - lower, dtype=np.float64)) if len(months) else None,
        "others": {other: _next_role(here, said) for other, said in others.items()},
    }


def _next_role(here: NDArray[np.bool_], p: Predictions) -> dict[str, float | None]:
    rank, nll = p.rank[here], p.nll[here & (p.rank > 0)]
    return {
        "top1": float(np.mean(rank == 1)),
        "top5": float(np.mean((rank >= 1) & (rank <= 5))),
        "nll": float(nll.mean()) if len(nll) else None,
    }
