"""How reports, pages and the terminal write numbers and names; plain text, so it needs no library."""

from decimal import Decimal
from typing import Any, Final

DIGITS: Final = 4
"""Significant digits of a number in a table or a sentence."""

NOT_KNOWN: Final = "not known"
"""Stands for a number that is undefined."""


def significant(value: Any, digits: int = DIGITS) -> Any:
    """A float with so many significant digits; anything else unchanged.

    Examples:
        >>> significant(0.123456), significant(7), significant(None)
        (0.1235, 7, None)
    """
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def number(value: object, digits: int = DIGITS) -> str:
    """Text of a value: a float with so many significant digits, never with an exponent; `NOT_KNOWN` for None.

    Examples:
        >>> number(0.123456), number(1.0), number(7), number(None), number(0.0000051), number(1234567.0)
        ('0.1235', '1', '7', 'not known', '0.0000051', '1,235,000')
    """
    if value is None:
        return NOT_KNOWN
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    return f"{float(text):,.0f}" if abs(value) >= 1 else f"{Decimal(text):f}"


def metric_value(value: float | None) -> str:
    """A metric's value with four decimals, so that values below each other align.

    Examples:
        >>> metric_value(2.5)
        '2.5000'
    """
    return NOT_KNOWN if value is None else f"{value:.4f}"


def percent(share: float | None, decimals: int = 1) -> str:
    """A share (0..1) in percent.

    Examples:
        >>> percent(0.6846), percent(0.8, 0), percent(None)
        ('68.5 %', '80 %', 'not known')
    """
    return NOT_KNOWN if share is None else f"{100 * share:.{decimals}f} %"


def duration(seconds: float) -> str:
    """A duration in seconds below a minute and a half, in minutes below an hour and a half, else in hours.

    Examples:
        >>> duration(3.2), duration(200), duration(9000)
        ('3 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def words(name: str) -> str:
    """A key as words.

    Examples:
        >>> words("research_default")
        'research default'
    """
    return name.replace("_", " ")


def listed(names: list[str]) -> str:
    """Names in a sentence.

    Examples:
        >>> listed(["calibration"]), listed(["calibration", "latency", "parity"])
        ('calibration', 'calibration, latency and parity')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
