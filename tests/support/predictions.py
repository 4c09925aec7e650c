"""`Predictions` made by hand: what a test does not give is unknown."""

from collections.abc import Sequence

import numpy as np

from trajtune.model.predictions import Predictions


def predictions(rank: Sequence[int], **columns: object) -> Predictions:
    """Predictions with these ranks.

    Args:
        rank: Rank of each target; 0: the vocabulary does not hold it.
        columns: Any other columns of `Predictions`, as lists or arrays. By default every known target is
            title 1, so is every top title, the NLL is NaN for an unknown target and 1 for others, and
            everything else is NaN.
    """
    ranks, unknown = np.array(rank, np.int32), np.full(len(rank), np.nan, np.float32)
    values = {
        "target": (ranks > 0).astype(np.int32),
        "nll": np.where(ranks > 0, 1.0, np.nan),
        "stay_nll": np.full(len(rank), np.nan),
        "top_ids": np.ones((len(rank), 1), np.int32),
        "confidence": unknown,
        "tenure": np.full((len(rank), 2), np.nan, np.float32),
        **dict.fromkeys(("hireability", "tenure_months", "tenure_at_least", "hireable"), unknown),
    }
    given = {name: np.array(column, values[name].dtype) for name, column in columns.items()}
    return Predictions(rank=ranks, **{**values, **given})
