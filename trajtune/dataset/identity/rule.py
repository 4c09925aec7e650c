"""The rule that decides when two titles are one title: a key, and the user's synonyms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from trajtune.dataset.identity.service_key import collapsed, service_key
from trajtune.dataset.identity.unicode_key import identity
from trajtune.errors import ExperimentError

IdentityBy = Literal["unicode", "service"]


@dataclass(frozen=True)
class TitleRule:
    """The rule of a vocabulary. Titles with the same key are one title.

    Attributes:
        by: Kind of key that is compared.
        keys: Mapping from the key of each synonym to the key of the title that it stands for.
        names: Mapping from the key of each title that a synonym stands for to that title.
        synonyms: Titles that stand for another title, in alphabetical order.
    """

    by: IdentityBy = "unicode"
    keys: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    synonyms: tuple[str, ...] = ()

    def key(self, title: str) -> str:
        """Return the key of a title. An empty key identifies no title."""
        own = self.own_key(title)
        return self.keys.get(own, own)

    def own_key(self, title: str) -> str:
        """Return the key of a title without regard to synonyms."""
        return identity(title) if self.by == "unicode" else collapsed(service_key(title))


def rule_with(by: IdentityBy, pairs: Iterable[tuple[str, str]], where: str) -> TitleRule:
    """Return a rule with synonyms.

    Args:
        by: Kind of key that is compared.
        pairs: Pairs of a synonym and the title that it stands for, which may itself be a synonym.
        where: Place where the synonyms are written, for messages.

    Raises:
        ExperimentError: If a title has no key, if a synonym stands for two titles, or if synonyms form a
            circle.
    """
    plain = TitleRule(by)
    keys: dict[str, str] = {}
    names: dict[str, str] = {}
    key_of: dict[str, str] = {}
    for source, target in pairs:
        key, target_key = (_key(plain, title, where) for title in (source, target))
        key_of[source] = key
        if key == target_key:
            continue  # the pair has no effect
        names.setdefault(target_key, target.strip())
        if keys.setdefault(key, target_key) != target_key:
            raise ExperimentError(
                f"{where}: a synonym must stand for one title, but {source!r} stands for "
                f"{names[keys[key]]!r} and {target!r}. Remove one."
            )
    ends = {key: _end_of_chain(key, keys, names, where) for key in keys}
    synonyms = tuple(sorted(source for source, key in key_of.items() if key in ends))
    return TitleRule(by, ends, {key: names[key] for key in ends.values()}, synonyms)


def _key(rule: TitleRule, title: str, where: str) -> str:
    key = rule.own_key(title)
    if not key:
        kept = "a letter or a digit" if rule.by == "unicode" else "a character that the service keeps"
        raise ExperimentError(f"{where}: a title must have {kept}, but {title!r} has none. Remove it.")
    return key


def _end_of_chain(key: str, keys: Mapping[str, str], names: Mapping[str, str], where: str) -> str:
    """Follow a chain of synonyms, and return the key of the last title."""
    passed = [key]
    while (following := keys[passed[-1]]) in keys:
        if following in passed:
            raise ExperimentError(
                f"{where}: synonyms must not form a circle, but {names[following]!r} stands for itself. "
                "Remove one of its lines."
            )
        passed.append(following)
    return following
