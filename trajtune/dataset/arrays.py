"""Encoded careers in columns: what trials share and training reads, 4 bytes a role and column.

Plain numpy, so that Ray's object store hands it to every trial on a node without a copy.
"""

# N careers, R roles of all careers, E examples

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CareerArrays:
    """Ragged careers: the roles of career ``i`` are ``[offsets[i], offsets[i + 1])``.

    Attributes:
        title_ids: int32 ``[R]``; 0 is a title that the vocabulary does not hold.
        offsets: int64 ``[N + 1]``.
        tenure_months: float32 ``[R]``; NaN while unknown (still held, or no end recorded).
        tenure_at_least: float32 ``[R]``; lower bound in months, equal to the tenure where that
            is known; NaN where nothing is known.
        hireable: float32 ``[R]``; 1 or 0 for the role as somebody's next role, NaN unknown.
        start_days: int32 ``[R]``; days since 1970 of the last day on which the role may have begun.
        is_outcome: bool ``[R]``; whether tenure and hireability are measured on the role; see
            `outcome_examples`.
    """

    title_ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    tenure_months: NDArray[np.float32]
    tenure_at_least: NDArray[np.float32]
    hireable: NDArray[np.float32]
    start_days: NDArray[np.int32]
    is_outcome: NDArray[np.bool_]

    @property
    def num_careers(self) -> int:
        """N."""
        return len(self.offsets) - 1

    def to_dict(self) -> dict[str, NDArray[np.generic]]:
        """The arrays by name, for Ray's object store; nothing is copied."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "CareerArrays":
        """The inverse of `to_dict`; nothing is copied."""
        return cls(**arrays)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Examples:
    """Which part of which career is an example; nothing of the arrays is copied.

    Example ``e`` reads ``title_ids[start:start + length]`` and its targets stand at
    ``start + length`` in every array.

    Attributes:
        start: int64 ``[E]``.
        length: int64 ``[E]``, at least 1.
    """

    start: NDArray[np.int64]
    length: NDArray[np.int64]

    @property
    def target(self) -> NDArray[np.int64]:
        """int64 ``[E]``: where each example's targets stand."""
        return self.start + self.length

    def equals(self, other: "Examples") -> bool:
        """Whether these are the same examples in the same order."""
        return np.array_equal(self.start, other.start) and np.array_equal(self.length, other.length)

    def __len__(self) -> int:
        return len(self.start)


def examples_of(arrays: CareerArrays, examples: Literal["last", "every_transition"]) -> Examples:
    """All examples of the careers, in the careers' order.

    Args:
        arrays: Careers with at least two roles each.
        examples: ``last``: all titles but the last, and the last (one example a career).
            ``every_transition``: each prefix and its next title.
    """
    first, num_roles = arrays.offsets[:-1], np.diff(arrays.offsets)
    if examples == "last":
        return Examples(first.copy(), num_roles - 1)
    per_career = num_roles - 1
    starts = np.repeat(first, per_career)
    before = np.concatenate([[0], np.cumsum(per_career)[:-1]]) if len(per_career) else per_career
    lengths = np.arange(len(starts), dtype=np.int64) - np.repeat(before, per_career) + 1
    return Examples(starts, lengths)


def last_roles(offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which roles are the last of their career, bool ``[R]``."""
    is_last = np.zeros(int(offsets[-1]), bool)
    is_last[offsets[1:] - 1] = True
    return is_last


def outcome_examples(arrays: CareerArrays) -> Examples:
    """The roles that tenure and hireability are measured on, each with the roles before it as input.

    By ``split.by: move`` they are the roles that ended in the split's window and were followed by another.
    How long a role lasted does not change the chance that its end falls in the window, so these tenures are
    an unbiased sample; those of roles that also began in the window would all be short. By the other rules
    they are the last roles.
    """
    first, num_roles = arrays.offsets[:-1], np.diff(arrays.offsets)
    target = np.flatnonzero(arrays.is_outcome)
    start = np.repeat(first, num_roles)[target]
    return Examples(start, target - start)
