"""The configurations that are averaged with the winner."""

import pytest

from trajtune.experiment.params import Params
from trajtune.finalizing.choose import _is_averaged
from trajtune.finalizing.refit import RESEARCH_DEFAULT_NAME
from trajtune.finalizing.selection import Finalist, Refit

DEFAULT = Finalist(RESEARCH_DEFAULT_NAME, Params(), None)
FIRST, SECOND = (Finalist(f"trial {number}", Params(), None) for number in (1, 2))
BARRED = Finalist("trial 3", Params(), None, may_win=False)


@pytest.mark.parametrize(
    ("winner", "averaged"),
    [(FIRST, [FIRST, SECOND]), (DEFAULT, [DEFAULT])],
    ids=["a trial has won", "the research default has won"],
)
def test_the_research_default_is_never_averaged(winner: Finalist, averaged: list[Finalist]) -> None:
    refits = [Refit(finalist, 0, None, 1, {}, None) for finalist in (DEFAULT, FIRST, SECOND, BARRED)]
    assert [refit.finalist for refit in refits if _is_averaged(refit, winner)] == averaged
