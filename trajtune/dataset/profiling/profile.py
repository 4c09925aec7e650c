"""Describe the splits from their facts, and refuse a vocabulary that knows hardly a title."""

from collections.abc import Mapping
from typing import Any, Final

from trajtune.dataset.profiling.drift import Sample, chance_index, stability_index
from trajtune.dataset.profiling.facts import SplitFacts
from trajtune.errors import SourceError
from trajtune.experiment.settings import VocabularySettings

MOST_UNKNOWN: Final = 0.9
"""Share of train's roles without an index from which a vocabulary is refused."""

MOST_UNKNOWN_TARGETS: Final = 0.98
"""Share of val's and test's targets without an index from which a vocabulary is refused."""

_FEWEST_TARGETS: Final = 50
"""With fewer targets that share says little."""


def profile(
    splits: Mapping[str, SplitFacts],
    unseen: Mapping[str, tuple[int, int]],
    samples: Mapping[str, Sample],
    min_count: int = 1,
) -> dict[str, dict[str, Any]]:
    """Describe each split in plain JSON values.

    Args:
        splits: By name.
        unseen: For each split, the number of roles and of last roles whose title is not in train.
        samples: Some careers of each split.
        min_count: Rarer titles are unknown to the vocabulary.

    Returns:
        For each split ``careers``, ``roles``, ``first`` and ``last`` split date, ``still_held`` (share
        of last roles whose end is unknown), ``unseen_titles`` (share of its roles whose title no
        career of train has, in any spelling that counts as the same), ``unknown_titles`` (share whose
        title the vocabulary does not hold: too rare a one too), ``unseen_targets`` and
        ``unknown_targets`` (the same of its last roles), ``targets_before_train_cutoff`` (share of last
        roles that began before the train cutoff), ``targets_on_input_day`` (share of last roles that
        began on the day on which the role before began, as far as their dates tell), ``psi``, the
        population stability index of its titles against train's, and ``psi_by_chance``, what that index
        reaches without any drift; see `chance_index`.
    """
    train = splits["train"]
    described = {}
    for name, facts in splits.items():
        unseen_roles, unseen_targets = unseen[name]
        num_careers = (train.careers, facts.careers)
        by_chance = (
            0.0 if name == "train" else chance_index(samples["train"], samples[name], num_careers, min_count)
        )
        described[name] = {
            "careers": facts.careers,
            "roles": facts.roles,
            "first": str(facts.dates.days[0]),
            "last": str(facts.dates.days[-1]),
            "still_held": round((facts.careers - facts.known_tenures) / facts.careers, 4),
            "unseen_titles": round(unseen_roles / facts.roles, 4),
            "unseen_targets": round(unseen_targets / facts.careers, 4),
            "unknown_titles": round(facts.unknown_titles / facts.roles, 4),
            "unknown_targets": round(facts.unknown_targets / facts.careers, 4),
            "targets_before_train_cutoff": round(facts.targets_before_train_cutoff / facts.careers, 4),
            "targets_on_input_day": round(facts.targets_on_input_day / facts.careers, 4),
            "psi": round(stability_index(train.title_bins, facts.title_bins), 4),
            "psi_by_chance": round(by_chance, 4),
        }
    return described


def refuse_unknown(splits: Mapping[str, SplitFacts], settings: VocabularySettings) -> None:
    """Refuse a vocabulary that holds hardly any of the titles.

    Args:
        splits: By name.
        settings: Which titles are kept.

    Raises:
        SourceError: If the vocabulary is empty, or nearly all of train's titles, or of the targets of val and
            test, are unknown to it.
    """
    remedies = ["Check that the title column or key of `source` holds job titles, and not free text or ids"]
    if settings.identity == "service":
        remedies.append("set `vocabulary.identity: unicode`, which keeps the letters of every script")
    if settings.min_count > 1:
        remedies.append(f"lower `vocabulary.min_count` ({settings.min_count})")
    train = splits["train"]
    if train.highest_id == settings.max_titles:
        remedies.append(f"raise `vocabulary.max_titles` ({settings.max_titles})")
    remedy = "; ".join(remedies) + "."
    share = train.unknown_titles / train.roles
    if share >= MOST_UNKNOWN:
        raise SourceError(
            f"The vocabulary must hold most titles of train, but {train.unknown_titles:,} of train's "
            f"{train.roles:,} roles have a title that it lacks ({round(share, 4):.0%}). {remedy}"
        )
    later = [splits[name] for name in ("val", "test")]
    unknown, targets = (sum(of) for of in zip(*((f.unknown_targets, f.careers) for f in later), strict=True))
    share = unknown / targets
    if targets >= _FEWEST_TARGETS and share >= MOST_UNKNOWN_TARGETS:
        raise SourceError(
            f"The vocabulary of train must hold some next titles of val and test, but {unknown:,} of "
            f"{targets:,} are titles that it lacks ({round(share, 4):.0%}). {remedy}"
        )
