"""Options of the n-gram baseline, which are chosen on val and recorded so that a refit can reuse them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from trajtune.page.format import number, percent

_TITLES: Final = {1: "title", 2: "two titles", 3: "three titles"}


@dataclass(frozen=True)
class NGramChoice:
    """The options of the n-gram baseline.

    Attributes:
        order: Number of titles in the longest context, 1 to 3.
        moves: Whether every move of a career is counted, or only its last one.
        half_life_years: Age in years at which a move counts half; None: all moves count the same.
        discount: Discount of Kneser-Ney smoothing; None: Witten-Bell smoothing.
        copy_share: Probability of copying an earlier title where there is one, in 0..1.
    """

    order: int
    moves: Literal["all", "last"]
    half_life_years: float | None
    discount: float | None
    copy_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "NGramChoice":
        """Return the options that `to_dict` wrote."""
        return cls(**record)

    def in_words(self) -> str:
        """Return the options as a clause for reports.

        Examples:
            >>> NGramChoice(2, "last", 20.0, None, 0.15).in_words()
            'counts of the last two titles, on last moves, half-life 20 years, Witten-Bell, 15 % copies'
            >>> NGramChoice(1, "all", None, 0.5, 0.0).in_words()
            'counts of the last title, on all moves, no half-life, Kneser-Ney with discount 0.5, no copies'
        """
        years = self.half_life_years
        parts = [
            f"counts of the last {_TITLES[self.order]}",
            f"on {self.moves} moves",
            "no half-life" if years is None else f"half-life {number(years)} years",
            "Witten-Bell" if self.discount is None else f"Kneser-Ney with discount {number(self.discount)}",
            f"{percent(self.copy_share, 0)} copies" if self.copy_share else "no copies",
        ]
        return ", ".join(parts)
