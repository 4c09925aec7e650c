"""Spellings of each canonical title, all equal after normalisation.

The normalisation of `dataset.identity` reverts each rule (case, white space, punctuation and the
abbreviations of the serving contract), so the noise makes reading harder, but not predicting.
"""

# V canonical titles of one language, J spellings of each title

import re
from typing import Final

from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.title_names import LANGUAGES, title_names

_ABBREVIATIONS: Final = {
    "Senior": "Sr",
    "Junior": "Jr",
    "Manager": "Mgr",
    "Engineer": "Eng",
    "Developer": "Dev",
}
_WORD: Final = re.compile(r"\b(" + "|".join(_ABBREVIATIONS) + r")\b")

NUM_SPELLINGS: Final = 9


def spellings_of(title: str) -> list[str]:
    """Return the ``NUM_SPELLINGS`` spellings of ``title``; the first is ``title`` itself.

    Spellings may be equal, because a rule may have nothing to change.
    """
    first, *rest = title.split(" ")
    short = _WORD.sub(lambda word: _ABBREVIATIONS[word[1]], title)
    return [
        title,
        title.lower(),
        title.upper(),
        _WORD.sub(lambda word: _ABBREVIATIONS[word[1]] + ".", title),
        short,
        short.upper(),
        "  ".join(title.split(" ")) + " ",
        " ".join([f"({first})", *rest]),
        " " + title + ",",
    ]


def spelling_table(settings: ProcessSettings) -> list[str]:
    """Return every spelling of every title, ``[languages * V * J]``.

    Spelling ``j`` of title ``v`` in language ``g`` is at index ``(g * V + v) * J + j``.
    """
    return [spelling for title in canonical_table(settings) for spelling in spellings_of(title)]


def canonical_table(settings: ProcessSettings) -> list[str]:
    """Return canonical titles ``[languages * V]``; title ``v`` in language ``g`` has index ``g * V + v``."""
    sizes = settings.num_families, settings.num_specialisations
    return [title for language in LANGUAGES for title in title_names(*sizes, language)]
