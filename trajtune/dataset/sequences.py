"""Examples in words: the titles so far, and the next title."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from trajtune.dataset.arrays import examples_of
from trajtune.dataset.encode import SplitData


class CareerSequence(NamedTuple):
    """One example in words.

    Attributes:
        input_titles: Surface forms, oldest first, at least one.
        next_title: What came next.
        tenure_months: Months in that next role; None while unknown.
        candidate_id: Whose career it is.
    """

    input_titles: tuple[str, ...]
    next_title: str
    tenure_months: float | None
    candidate_id: str


def generate_sequences(
    data: SplitData, examples: Literal["last", "every_transition"] = "last"
) -> Iterator[CareerSequence]:
    """Yield the examples of a split in the order that training and evaluation number them.

    Args:
        data: One split.
        examples: ``last`` (val and test always) or ``every_transition`` (train may).

    Yields:
        The titles so far and what came next.
    """
    numbered = examples_of(data.arrays, examples)
    owner = np.searchsorted(data.arrays.offsets, numbered.start, side="right") - 1
    titles = data.titles.values
    for career, start, target in zip(
        owner.tolist(), numbered.start.tolist(), numbered.target.tolist(), strict=True
    ):
        *before, after = titles.slice(start, target - start + 1).to_pylist()
        tenure = float(data.arrays.tenure_months[target])
        yield CareerSequence(
            tuple(before), after, None if np.isnan(tenure) else tenure, data.candidate_ids[career].as_py()
        )
