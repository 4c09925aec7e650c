"""Rows of a benchmark's table and JSON."""

from typing import Any


def result(
    name: str, value: float, unit: str, *, least: float | None = None, most: float | None = None
) -> dict[str, Any]:
    """Return a measurement with its bar, if any: the least or the most that it may be."""
    passed = None
    if least is not None:
        passed = value >= least
    elif most is not None:
        passed = value <= most
    bar = least if least is not None else most
    return {"name": name, "value": value, "unit": unit, "bar": bar, "passed": passed}
