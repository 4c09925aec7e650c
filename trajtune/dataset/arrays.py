"""Encoded careers as columns. Trials share them and training reads them; most take 4 bytes per role.

The arrays are plain numpy, so all trials on a node read them from Ray's object store without a copy.
"""

# N careers, R roles of all careers, E examples

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CareerArrays:
    """Ragged careers: the roles of career ``i`` are ``[offsets[i], offsets[i + 1])``.

    Attributes:
        title_ids: Index of each role's title, int32 ``[R]``; 0 for a title outside the vocabulary.
        offsets: First role of each career, int64 ``[N + 1]``; the last entry is R.
        tenure_months: Tenure in months, float32 ``[R]``; NaN if unknown (still held, or no end recorded).
        tenure_at_least: Lower bound of the tenure in months, float32 ``[R]``; equal to the tenure where
            that is known; NaN where nothing is known.
        hireable: Hireability label of the role as a next role, float32 ``[R]``: 1, 0, or NaN if unknown.
        start_days: Latest day on which the role may have begun, int32 ``[R]``, in days since 1970-01-01.
        is_outcome: Whether tenure and hireability are measured on the role, bool ``[R]``; see
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
        """Number of careers, N."""
        return len(self.offsets) - 1

    def to_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name, for Ray's object store, without a copy."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "CareerArrays":
        """Make the careers from the result of `to_dict`, without a copy."""
        return cls(**arrays)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Examples:
    """Examples as ranges of roles. The arrays are not copied.

    The input of an example is ``title_ids[start:start + length]``. Its targets are at index
    ``start + length`` of each array.

    Attributes:
        start: Index of the first input role, int64 ``[E]``.
        length: Number of input roles, int64 ``[E]``, at least 1.
    """

    start: NDArray[np.int64]
    length: NDArray[np.int64]

    @property
    def target(self) -> NDArray[np.int64]:
        """Index of each example's target role, int64 ``[E]``."""
        return self.start + self.length

    def equals(self, other: "Examples") -> bool:
        """Return whether both contain the same examples in the same order."""
        return np.array_equal(self.start, other.start) and np.array_equal(self.length, other.length)

    def most_recent(self, max_history: int) -> "Examples":
        """Return the same targets with at most ``max_history`` input roles, the most recent; 0: all."""
        if not max_history:
            return self
        length = np.minimum(self.length, max_history)
        return Examples(self.target - length, length)

    def __len__(self) -> int:
        return len(self.start)


def joined_arrays(parts: Sequence[CareerArrays]) -> CareerArrays:
    """Concatenate the careers of several parts."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([part.offsets[-1] for part in parts])
    starts = ends - [part.offsets[-1] for part in parts]
    offsets = [part.offsets[1:] + start for part, start in zip(parts, starts, strict=True)]
    columns = {
        name: np.concatenate([part.to_dict()[name] for part in parts])
        for name in parts[0].to_dict()
        if name != "offsets"
    }
    return CareerArrays.from_dict({**columns, "offsets": np.concatenate([[0], *offsets]).astype(np.int64)})


def examples_of(arrays: CareerArrays, examples: Literal["last", "every_transition"]) -> Examples:
    """Return all examples of the careers, in the order of the careers.

    Args:
        arrays: Careers with at least two roles each.
        examples: ``last``: one example per career; the last title is the target and all earlier titles are
            the input. ``every_transition``: one example for each prefix and its next title.
    """
    first, num_roles = arrays.offsets[:-1], np.diff(arrays.offsets)
    if examples == "last":
        return Examples(first.copy(), num_roles - 1)
    per_career = num_roles - 1
    starts = np.repeat(first, per_career)
    before = np.concatenate([[0], np.cumsum(per_career)[:-1]]) if len(per_career) else per_career
    lengths = np.arange(len(starts), dtype=np.int64) - np.repeat(before, per_career) + 1
    return Examples(starts, lengths)


def roles_not_read(arrays: CareerArrays, max_history: int) -> tuple[int, int]:
    """Count what a model that reads at most ``max_history`` roles leaves out of the input of last roles.

    Args:
        arrays: The careers.
        max_history: Largest number of input roles; 0: all.

    Returns:
        The number of careers with more roles before their last one, and the number of their roles that are
        not read.
    """
    beyond = np.maximum(np.diff(arrays.offsets) - 1 - max_history, 0) if max_history else np.zeros(0)
    return int((beyond > 0).sum()), int(beyond.sum())


def last_roles(offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether each role is the last of its career, bool ``[R]``."""
    is_last = np.zeros(int(offsets[-1]), bool)
    is_last[offsets[1:] - 1] = True
    return is_last


def outcome_examples(arrays: CareerArrays) -> Examples:
    """Return the examples that tenure and hireability are measured on. All earlier roles are the input.

    With ``split.by: move`` the targets are the roles that ended in the split's window and were followed by
    another role. The length of a role does not change the chance that its end falls in the window, so
    these tenures are an unbiased sample. Roles that also began in the window would all be short. With the
    other split rules the targets are the last roles.
    """
    first, num_roles = arrays.offsets[:-1], np.diff(arrays.offsets)
    target = np.flatnonzero(arrays.is_outcome)
    start = np.repeat(first, num_roles)[target]
    return Examples(start, target - start)
