"""What the n-gram baseline chooses on val, as a record that a refit can use again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from trajtune.page.format import number

_NUMBERS: Final = ("no title", "title", "two titles", "three titles")


@dataclass(frozen=True)
class NGramChoice:
    """The options of the n-gram baseline.

    Attributes:
        order: Titles in the longest context, 1 to 3.
        moves: Count every move of a career, or its last one alone.
        half_life_years: Age at which a move counts half; None: all moves count the same.
        copy_share: Probability of copying an earlier title where there is one, in 0..1.
    """

    order: int
    moves: Literal["all", "last"]
    half_life_years: float | None
    copy_share: float

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "NGramChoice":
        """The inverse of `to_dict`."""
        return cls(**record)

    def in_words(self) -> str:
        """For example `counts of the last two titles, on last moves, half-life 20 years, 15 % copies`."""
        half_life = self.half_life_years
        years = "no half-life" if half_life is None else f"half-life {number(half_life)} years"
        copies = f"{100 * self.copy_share:.0f} % copies" if self.copy_share else "no copies"
        return f"counts of the last {_NUMBERS[self.order]}, on {self.moves} moves, {years}, {copies}"
