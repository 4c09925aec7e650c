"""Describes the splits by their facts, and refuses a vocabulary that lacks nearly all titles."""

from collections.abc import Mapping
from typing import Any, Final

from trajtune.dataset.profiling.drift import Sample, chance_index, stability_index
from trajtune.dataset.profiling.facts import SplitFacts
from trajtune.errors import SourceError
from trajtune.experiment.settings import VocabularySettings

MOST_UNKNOWN: Final = 0.9
"""A vocabulary is refused if at least this share of train's roles have no index."""

MOST_UNKNOWN_TARGETS: Final = 0.98
"""A vocabulary is refused if at least this share of the targets of val and test have no index."""

_FEWEST_TARGETS: Final = 50
"""Minimum number of targets for which that share is reliable."""


def profile(
    splits: Mapping[str, SplitFacts],
    unseen: Mapping[str, tuple[int, int]],
    samples: Mapping[str, Sample],
    min_count: int = 1,
) -> dict[str, dict[str, Any]]:
    """Describe each split in plain JSON values.

    Args:
        splits: Facts of each split, by name.
        unseen: Number of roles and of last roles of each split whose title is not in train.
        samples: Some careers of each split.
        min_count: Minimum number of occurrences of a title in train; the vocabulary lacks rarer titles.

    Returns:
        These values for each split. Shares are from 0 to 1:

        - ``careers``, ``roles``: numbers of careers and roles.
        - ``first``, ``last``: first and last split date.
        - ``still_held``: share of last roles whose end is unknown.
        - ``unseen_titles``: share of roles whose title is in no career of train, in any spelling.
        - ``unknown_titles``: share of roles whose title is not in the vocabulary. This includes rare titles.
        - ``unseen_targets``, ``unknown_targets``: the same shares of last roles.
        - ``targets_before_train_cutoff``: share of last roles that began before the train cutoff.
        - ``targets_on_input_day``: share of last roles with the same start date as the role before.
        - ``psi``: population stability index of the titles relative to train's.
        - ``psi_by_chance``: the index without any drift; see `chance_index`.
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
    """Raise if the vocabulary lacks nearly all titles.

    Args:
        splits: Facts of each split, by name.
        settings: Settings that decide which titles are kept.

    Raises:
        SourceError: If the vocabulary is empty, or if it lacks nearly all titles of train or nearly all
            targets of val and test.
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
