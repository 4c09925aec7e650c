"""Examples as readable titles: the input titles and the next title."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from trajtune.dataset.arrays import examples_of
from trajtune.dataset.encode import SplitData


class CareerSequence(NamedTuple):
    """One example with readable titles.

    Attributes:
        input_titles: Surface forms of the input titles, oldest first; at least one.
        next_title: Surface form of the next title.
        tenure_months: Tenure in the next role, in months; None if unknown.
        candidate_id: Id of the person.
    """

    input_titles: tuple[str, ...]
    next_title: str
    tenure_months: float | None
    candidate_id: str


def generate_sequences(
    data: SplitData, examples: Literal["last", "every_transition"] = "last"
) -> Iterator[CareerSequence]:
    """Yield the examples of a split in the order in which training and evaluation number them.

    Args:
        data: One split.
        examples: ``last`` (always used for val and test) or ``every_transition`` (possible for train).

    Yields:
        One example: the input titles, the next title, its tenure and the person's id.
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
