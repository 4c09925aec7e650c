"""How people write titles: the forms of each canonical title, all equal once a title is normalised.

Each rule undoes itself under the normalisation of `dataset.titles` (case, white space, punctuation and
the abbreviations of the serving contract), so the noise makes reading harder and predicting not.
"""

# V canonical titles of one language, J forms of each

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

NUM_FORMS: Final = 9


def forms_of(title: str) -> list[str]:
    """The ``NUM_FORMS`` ways in which ``title`` is written; the first is ``title`` itself.

    Where a rule has nothing to change, its form is the title; forms may be equal.
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


def surface_table(settings: ProcessSettings) -> list[str]:
    """Every form of every title, ``[languages * V * J]``.

    The form ``j`` of title ``v`` in language ``g`` stands at ``(g * V + v) * J + j``.
    """
    return [form for title in canonical_table(settings) for form in forms_of(title)]


def canonical_table(settings: ProcessSettings) -> list[str]:
    """Canonical titles ``[languages * V]``; title ``v`` in language ``g`` stands at ``g * V + v``."""
    sizes = settings.num_families, settings.num_specialisations
    return [title for language in LANGUAGES for title in title_names(*sizes, language)]
