"""Numbers with their units, as cells of tables and as text."""

from dataclasses import dataclass
from typing import Final

from trajtune.page.format import NOT_KNOWN, number, percent


@dataclass(frozen=True)
class Quantity:
    """A number that is shown as text; tables sort and export it by the number.

    Attributes:
        value: The number, None if it is not known.
        text: How a person reads it, with its unit.
    """

    value: float | None
    text: str


def share(value: float | None, decimals: int = 1) -> Quantity:
    """A share (0..1) in percent.

    Examples:
        >>> share(0.4021).text
        '40.2 %'
    """
    return Quantity(value, percent(value, decimals))


def part(number: int, whole: int) -> Quantity:
    """A count, and what share of a larger count it is.

    Examples:
        >>> part(12, 400).text, part(0, 0).text
        ('12 (3.0 %)', '0')
    """
    return Quantity(number, f"{number:,} ({percent(number / whole)})" if whole else f"{number:,}")


def points(value: float | None) -> Quantity:
    """A difference of shares in percentage points, with its sign.

    Examples:
        >>> points(0.012).text
        '+1.2 points'
    """
    return Quantity(value, NOT_KNOWN if value is None else f"{100 * value:+.1f} points")


def decimal(value: float | None, decimals: int = 3) -> Quantity:
    """A number with so many decimals, for example nats below a heading that says so.

    Examples:
        >>> decimal(2.44594).text
        '2.446'
    """
    return Quantity(value, NOT_KNOWN if value is None else f"{value:,.{decimals}f}")


def nats(value: float | None) -> Quantity:
    """A negative log-likelihood.

    Examples:
        >>> nats(2.44594).text
        '2.446 nats'
    """
    return _with_unit(value, "nats", 3)


def months(value: float | None, decimals: int = 1) -> Quantity:
    """A time in months.

    Examples:
        >>> months(16.68).text
        '16.7 months'
    """
    return _with_unit(value, "months", decimals)


def milliseconds(value: float | None) -> Quantity:
    """A time in milliseconds.

    Examples:
        >>> milliseconds(0.5591).text
        '0.56 ms'
    """
    return _with_unit(value, "ms", 2)


def metric(name: str, value: float | None) -> Quantity:
    """A metric in the unit that its name says.

    Examples:
        >>> metric("val_top1", 0.4021).text, metric("val_next_role_nll", 2.64343).text
        ('40.2 %', '2.643 nats')
    """
    if name.endswith(_SHARES):
        return share(value)
    if name.endswith("nll"):
        return nats(value)
    if name.endswith("_months"):
        return months(value)
    if name.endswith("_ms"):
        return milliseconds(value)
    return Quantity(value, number(value))


def tick_format(name: str) -> str | None:
    """plotly's format of an axis of this metric; None: its own.

    Examples:
        >>> tick_format("val_top1"), tick_format("val_next_role_nll")
        ('.0%', None)
    """
    return ".0%" if name.endswith(_SHARES) else None


_SHARES: Final = ("top1", "top5", "coverage", "_share", "_rate")


def _with_unit(value: float | None, unit: str, decimals: int) -> Quantity:
    return Quantity(value, NOT_KNOWN if value is None else f"{value:,.{decimals}f} {unit}")
