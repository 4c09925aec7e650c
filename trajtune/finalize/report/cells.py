"""What the page's sections share: a table's cells, and who stands beside the model."""

from collections.abc import Mapping
from typing import Any, Final

from trajtune.finalize.report.markdown import words

OURS: Final = "this model"
_DIGITS: Final = 4


def cell(value: object) -> object:
    """A table's cell: few digits; None, which a table says in words, where it is undefined."""
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def others_of(m: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The research default, where there is one, and the baselines, by name in words."""
    others = {"research_default": m["research_default"], **m["baselines"]}
    return {words(name): found for name, found in others.items() if found}
