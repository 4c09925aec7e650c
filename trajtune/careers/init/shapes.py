"""Shapes of sampled values: dates, flags or text. The values themselves are not kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from trajtune.careers.parse.date_ranges import split_range
from trajtune.careers.parse.dates import DEFAULT_RULES, Reading, parse_date
from trajtune.careers.schema import Precision

ShapeKind = Literal["dates", "ranges", "flags", "text", "nothing", "other"]
_DATE_TYPES: Final = ("date", "timestamp")
_FLAG_WORDS: Final = frozenset({"t", "f", "true", "false", "yes", "no", "0", "1"})
_LONGEST_DATE: Final = 256
_FORMS_OF_ADDRESS: Final = frozenset(
    {"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "herr", "frau", "m", "mme", "sr", "sra", "dra"}
)
_LEAST_DATED: Final = 0.6
"""Minimum share of dates among the values of a column of dates."""


@dataclass(frozen=True)
class Shape:
    """The shape of sampled values.

    Attributes:
        kind: The kind of value.
        description: A few words for people, without any value.
        is_ambiguous: Whether a date among the values is ambiguous.
        share: Share of the values that are filled.
        is_by_year: Whether all values are years.
    """

    kind: ShapeKind
    description: str
    is_ambiguous: bool = False
    share: float = 0.0
    is_by_year: bool = False


def shape_of(values: Sequence[str | None], column_type: str) -> Shape:
    """Describe the values of a column or JSON key."""
    texts = [value for value in values if value is not None and value.strip()]
    return replace(_shape_of(texts, column_type), share=len(texts) / max(1, len(values)))


def _shape_of(texts: Sequence[str], column_type: str) -> Shape:
    filled = f"{len(texts)} filled"
    if not texts:
        return Shape("dates" if column_type.startswith(_DATE_TYPES) else "nothing", filled)
    if {text.lower() for text in texts} <= _FLAG_WORDS:
        return Shape("flags", f"{filled}, yes or no")
    readings = [
        parse_date(text) if len(text) <= _LONGEST_DATE else (0, 0, Reading.UNREADABLE) for text in texts
    ]
    precisions = [precision for _, precision, reading in readings if reading == Reading.DATE]
    num_ambiguous = sum(reading == Reading.AMBIGUOUS for _, _, reading in readings)
    num_open = sum(reading in {Reading.HELD, Reading.EMPTY} for _, _, reading in readings)
    if precisions or num_ambiguous:
        if len(precisions) + num_ambiguous + num_open >= _LEAST_DATED * len(texts):
            return _date_shape(filled, precisions, num_ambiguous)
    elif num_open == len(texts):
        return Shape("dates", f"{filled}, words for until now")
    num_ranges = sum(
        len(text) <= _LONGEST_DATE and split_range(text, DEFAULT_RULES) is not None for text in texts
    )
    if num_ranges + len(precisions) >= _LEAST_DATED * len(texts):
        return Shape("ranges", f"{filled}, ranges of dates")
    are_numbers = all(text.lstrip("-").replace(".", "", 1).isdigit() for text in texts)
    is_address = {text.lower().rstrip(".") for text in texts} <= _FORMS_OF_ADDRESS
    if are_numbers or is_address or any(text.lstrip().startswith(("{", "[")) for text in texts):
        return Shape("other", filled)
    return Shape("text", f"{filled}, text")


def _date_shape(filled: str, precisions: Sequence[int], num_ambiguous: int) -> Shape:
    units = ", ".join(sorted({Precision(precision).name.lower() for precision in precisions}))
    description = (
        f"{filled}, dates"
        + (f" to the {units}" if units else "")
        + (f", {num_ambiguous} readable in two ways" if num_ambiguous else "")
    )
    is_by_year = not num_ambiguous and set(precisions) == {Precision.YEAR}
    return Shape("dates", description, bool(num_ambiguous), is_by_year=is_by_year)
