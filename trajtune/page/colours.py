"""One colour for each thing, in every figure and on the first screen; plain text, so it needs no library."""

from collections.abc import Mapping
from typing import Final

MODEL: Final = "#0072B2"
DEFAULT: Final = "#CC79A7"
BASELINE: Final = "#8C8C8C"
POSSIBLE: Final = "#009E73"
TRAIN: Final = "#56B4E9"
VAL: Final = "#E69F00"
TEST: Final = "#D55E00"
FAILED: Final = "#B2182B"
STOPPED: Final = "#9A7B4F"
SECOND: Final = "#56B4E9"
"""A second series of the model in one figure, for example top 5 beside top 1."""

NAMED: Final[Mapping[str, str]] = {
    "this model": MODEL,
    "as selected": "#4B9CD3",
    "best so far": MODEL,
    "research default": DEFAULT,
    "best baseline": BASELINE,
    "majority": BASELINE,
    "current title": BASELINE,
    "markov": BASELINE,
    "ngram": BASELINE,
    "best possible": POSSIBLE,
    "train": TRAIN,
    "val": VAL,
    "test": TEST,
    "complete": "#4B9CD3",
    "stopped early": STOPPED,
    "failed": FAILED,
    "not ended": POSSIBLE,
}
"""The colour of whatever a trace's name says. `figures.content_of` paints every trace with such a name."""

CYCLE: Final = (MODEL, VAL, POSSIBLE, DEFAULT, TRAIN, TEST, "#F0E442", "#000000")
"""Colours of other traces: Okabe and Ito's, which colour-blind people can distinguish."""

DARK_CYCLE: Final = (TRAIN, VAL, POSSIBLE, DEFAULT, MODEL, TEST, "#F0E442", "#FFFFFF")


def colour_of(name: str) -> str:
    """The colour of a thing by its name; a baseline's for a name that is not known.

    Examples:
        >>> colour_of("val"), colour_of("a rule of tomorrow") == BASELINE
        ('#E69F00', True)
    """
    return NAMED.get(name, BASELINE)
