"""Create `Predictions` for tests; columns that a test does not give are unknown."""

from collections.abc import Sequence

import numpy as np

from trajtune.model.predictions import Predictions


def predictions(rank: Sequence[int], **columns: object) -> Predictions:
    """Return predictions with the given ranks.

    Args:
        rank: Rank of each target; 0 if the target is not in the vocabulary.
        columns: Other columns of `Predictions`, as lists or arrays. By default every known target and every
            top title is title 1, the NLL is NaN for unknown targets and 1 for others, and all other columns
            are NaN.
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
