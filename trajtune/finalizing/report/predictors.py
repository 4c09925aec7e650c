"""The predictors of a report: this model and what it is compared with."""

from collections.abc import Mapping
from typing import Any, Final

from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.metrics import NEXT_ROLE
from trajtune.page.format import words

THIS_MODEL: Final = "this model"

_IN_WORDS: Final = {
    "majority": "majority always predicts the commonest next titles",
    "current_title": "current title predicts that the title stays the same",
    "markov": "markov looks up what most often followed the current title",
    "markov2": "markov2 looks up what most often followed the last two titles",
    "ngram": "ngram counts what followed the last titles, and gives a share to titles held earlier",
}
"""What each baseline does; `markov2` is in bundles of earlier versions."""


def baselines_in_words(m: Mapping[str, Any]) -> str:
    """A sentence on what each baseline does, and one on what `ngram` chose."""
    rules = "; ".join(_IN_WORDS[name] for name in m["baselines"] if name in _IN_WORDS)
    sentence = f"The baselines are counts: {rules}."
    if not (chosen := m.get("ngram")):
        return sentence
    return f"{sentence} On val, ngram chose {NGramChoice.from_dict(chosen).in_words()}."


def compared(m: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The winner as it was selected, the research default, if they were measured, and the baselines."""
    others = {**{name: m[name] for name in ("as_selected", "research_default")}, **m["baselines"]}
    return {words(name): metrics for name, metrics in others.items() if metrics}


def with_best_possible(m: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """`compared`, and the Bayes limit of simulated careers."""
    return {**compared(m), **({"best possible": m["bayes_limit"]} if m["bayes_limit"] else {})}


def next_role_rows(m: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The next-role metrics of every predictor under short names, this model first."""
    own = {name: m["test"][f"next_role_{name}"] for name in NEXT_ROLE}
    intervals = {f"{name}_interval": m["test"][f"next_role_{name}_interval"] for name in NEXT_ROLE}
    return {THIS_MODEL: {**own, **intervals}, **with_best_possible(m)}
