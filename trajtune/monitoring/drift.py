"""Measure how people who moved since a bundle was made differ from the people of its test."""

# K bins

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from trajtune.dataset.profiling.drift import stability_index
from trajtune.dataset.profiling.warnings import DRIFTED
from trajtune.finalizing.evaluate.last_transitions import Transitions, reference_counts

DRAWS: Final = 1000
_LEVEL: Final = 0.95


def drift_since(reference: Mapping[str, Sequence[int]], now: Transitions) -> dict[str, dict[str, Any]]:
    """Compare current titles and lengths of history with the bundle's test.

    Args:
        reference: ``reference`` of the bundle's ``metrics.json``; see `reference_counts`.
        now: The last moves of people who moved since.

    Returns:
        For ``titles`` and ``lengths``: ``psi``, the stability index; ``by_chance``, what it reaches without
        drift in 95 % of samples of these sizes; ``major``, whether it is more than `DRIFTED` above that.
    """
    return {name: _drift(reference[name], counts) for name, counts in reference_counts(now).items()}


def _drift(expected: Sequence[int], observed: Sequence[int]) -> dict[str, Any]:
    before, after = np.array(expected, np.int64), np.array(observed, np.int64)
    index = stability_index(before, after)
    # One title for each person, so people are drawn independently of each other.
    shares = (before + after) / (before + after).sum()
    random = np.random.default_rng(0)
    draws = [random.multinomial(counts.sum(), shares, size=DRAWS) for counts in (before, after)]
    found = [stability_index(*pair) for pair in zip(*draws, strict=True)]
    chance = float(np.quantile(found, _LEVEL))
    return {"psi": index, "by_chance": chance, "major": index - chance > DRIFTED}
