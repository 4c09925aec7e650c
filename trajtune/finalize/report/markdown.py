"""Numbers, lists and tables in Markdown, the same way in every section and file."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; every row has as many cells as the header."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: object) -> str:
    """Four digits of a float, anything else as it is, and words for what is undefined."""
    if value is None:
        return "not known"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def percent(value: float | None) -> str:
    """A share of 1 in percent."""
    return "not known" if value is None else f"{100 * value:.1f} %"


def words(name: str) -> str:
    """A key as words."""
    return name.replace("_", " ")


def listed(names: Sequence[str]) -> str:
    """One, two and three."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
