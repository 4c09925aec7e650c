"""The page's box that answers a typed career, with predictions made when the page is written."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any, Final

from trajtune.bundle.bundle import Bundle, rounded
from trajtune.bundle.prediction import LOW_CONFIDENCE
from trajtune.page.page import Page

_FIRST: Final = 250
"""Titles from which careers begin: the commonest of the vocabulary."""

_SECOND: Final = 5
"""Most probable next titles that continue each of them."""

_LONG: Final = 60
"""Of the commonest titles, how many have careers of three titles."""

_THIRD: Final = 3
"""Most probable next titles that continue each of these careers of two titles."""


def answer_box(page: Page, bundle: Bundle, hireability: str) -> None:
    """A box where a reader types a career and sees the prediction.

    Args:
        page: The page that gets this section.
        bundle: Gives the predictions. At most 2,400 careers of one to three titles are predicted, so that
            the page stays small.
        hireability: What the hireability is called.
    """
    careers = commonest_careers(bundle)
    if not careers:
        return
    page.section(
        "Try a career",
        f"Type titles, oldest first. This page holds the answers for {len(careers):,} careers: the "
        f"{sum(len(career) == 1 for career in careers):,} commonest titles, and what the model thinks most "
        "likely to follow them. `trajtune predict` answers any career, and `trajtune serve` does so in a "
        "browser.",
    )
    content = _content(bundle, careers)
    page.widget(
        _BOX.format(options="".join(f"<option>{escape(name)}</option>" for name in content["first"])),
        "ANSWERS",
        {**content, "hireability": hireability, "low": LOW_CONFIDENCE},
        (files(__package__) / "answers.js").read_text("utf-8"),
    )


def commonest_careers(bundle: Bundle) -> list[tuple[int, ...]]:
    """The careers, as title ids, that the page can answer; the shorter ones first.

    Each longer career continues a shorter one with a title that the model finds likely.
    """
    single = [(index,) for index in range(1, min(_FIRST, bundle.encoder.vocab_size - 1) + 1)]
    double = _continued(bundle, single, _SECOND)
    long = [career for career in double if career[0] <= _LONG]
    return [*single, *double, *_continued(bundle, long, _THIRD)]


def _continued(bundle: Bundle, careers: Sequence[tuple[int, ...]], most: int) -> list[tuple[int, ...]]:
    if not careers:
        return []
    top = bundle.run(careers)["top5_ids"][:, :most].tolist()
    return [(*career, index) for career, ids in zip(careers, top, strict=True) for index in ids if index > 0]


def _content(bundle: Bundle, careers: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    """Names of titles by id, and for each career its ids and numbers; shares are in thousandths."""
    columns = bundle.run(careers)
    found = {}
    for row, career in enumerate(careers):
        low, high = (rounded(float(limit)) for limit in columns["tenure_pred"][row])
        found[" ".join(map(str, career))] = [
            columns["top5_ids"][row].tolist(),
            [_thousandths(value) for value in columns["top5_probabilities"][row]],
            _thousandths(columns["next_role_confidence"][row, 0]),
            [max(1, low), max(1, low, high)],
            _thousandths(columns["hireability"][row, 0]),
        ]
    named = sorted(
        {index for career in careers for index in career} | {i for row in found.values() for i in row[0]}
    )
    return {
        "titles": {str(index): bundle.encoder.decode(index) for index in named},
        "first": [bundle.encoder.decode(career[0]) for career in careers if len(career) == 1],
        "careers": found,
    }


def _thousandths(share: Any) -> int:
    return rounded(1000 * float(share))


_BOX: Final = (
    '<div class="answers"><form><label for="career-title">Title</label> '
    '<input id="career-title" list="career-titles" autocomplete="off" placeholder="a job title">'
    '<datalist id="career-titles">{options}</datalist> <button class="plain">Add</button> '
    '<button type="button" class="plain clear">Start again</button></form>'
    '<ol class="career" aria-label="The career, oldest title first"></ol>'
    '<div class="answer" aria-live="polite"></div></div>'
)
