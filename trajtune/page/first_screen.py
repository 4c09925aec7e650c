"""The first screen of a page: a badge, large numbers beside what they are compared with, why, what next."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

Tone = Literal["good", "bad", "open"]
"""How a badge or a chip is coloured; ``open``: not decided."""

SIGNS: Final = {"good": "✓", "bad": "✗", "open": "?"}
"""A tone's sign, for readers who do not see colours."""

_CODE: Final = re.compile(r"`([^`]+)`")
_PAD: Final = 0.06
"""Share of a gauge's width that stays free on either side."""


@dataclass(frozen=True)
class Other:
    """What a large number is compared with.

    Attributes:
        name: Its name, for example ``best baseline (ngram)``.
        text: Its value with its unit.
        value: Its value.
        colour: The colour of its mark.
    """

    name: str
    text: str
    value: float
    colour: str


@dataclass(frozen=True)
class Headline:
    """A large number.

    Attributes:
        name: What it is, in words.
        text: The value with its unit.
        value: The value.
        colour: The colour of its mark.
        others: What it is compared with.
        note: One line on how to read it.
        higher_is_better: Whether more is better; the better side of the gauge is the right one.
    """

    name: str
    text: str
    value: float
    colour: str
    others: Sequence[Other]
    note: str = ""
    higher_is_better: bool = True


@dataclass(frozen=True)
class FirstScreen:
    """What a reader needs before anything else.

    Attributes:
        badge: Two or three words.
        tone: How the badge is coloured.
        headlines: Large numbers.
        why: Sentences by heading, for example ``Why`` and ``What to do next``.
        chips: Short results with their tones, for example the gates.
    """

    badge: str
    tone: Tone
    headlines: Sequence[Headline] = ()
    why: Sequence[tuple[str, str]] = ()
    chips: Sequence[tuple[str, Tone]] = ()


def prose(text: str) -> str:
    """Markup of a text in which backticks mark code.

    Examples:
        >>> prose("Run `trajtune verify` if a < b.")
        'Run <code>trajtune verify</code> if a &lt; b.'
    """
    return _CODE.sub(r"<code>\1</code>", escape(text))


def badge_html(screen: FirstScreen) -> str:
    """The badge alone."""
    sign = f'<span aria-hidden="true">{SIGNS[screen.tone]}</span>'
    return f'<p class="badge {screen.tone}">{sign} {escape(screen.badge)}</p>'


def first_screen_html(screen: FirstScreen) -> str:
    """Everything but the badge and the title."""
    chips = "".join(f'<li class="mark {tone}">{escape(text)}</li>' for text, tone in screen.chips)
    why = "".join(
        f'<div class="why"><h2>{escape(heading)}</h2><p>{prose(text)}</p></div>'
        for heading, text in screen.why
    )
    headlines = "".join(_headline(headline) for headline in screen.headlines)
    return (
        (f'<div class="headlines">{headlines}</div>' if headlines else "")
        + (f'<ul class="chips" aria-label="Gates">{chips}</ul>' if chips else "")
        + (f'<div class="whys">{why}</div>' if why else "")
    )


def _headline(headline: Headline) -> str:
    others = "".join(
        f'<div><dt><i style="background:{other.colour}"></i>{escape(other.name)}</dt>'
        f"<dd>{escape(other.text)}</dd></div>"
        for other in headline.others
    )
    note = f'<p class="note">{escape(headline.note)}</p>' if headline.note else ""
    return (
        f'<div class="headline"><p class="name">{escape(headline.name)}</p>'
        f'<p class="value">{escape(headline.text)}</p>{_gauge(headline)}<dl>{others}</dl>{note}</div>'
    )


def _gauge(headline: Headline) -> str:
    """The number and the others as marks on a line, the better ones on the right."""
    marks = [(other.value, other.colour, "") for other in headline.others]
    marks.append((headline.value, headline.colour, " own"))
    values = [value for value, _, _ in marks]
    low, high = min(values), max(values)
    if low == high:
        return ""
    return (
        '<div class="gauge" aria-hidden="true">'
        + "".join(
            f'<i class="tick{own}" style="left:{100 * _place(headline, value, low, high):.1f}%;'
            f'background:{colour}"></i>'
            for value, colour, own in marks
        )
        + "</div>"
    )


def _place(headline: Headline, value: float, low: float, high: float) -> float:
    part = (value - low) / (high - low)
    return _PAD + (1 - 2 * _PAD) * (part if headline.higher_is_better else 1 - part)
