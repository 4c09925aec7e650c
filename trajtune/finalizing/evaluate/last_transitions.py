"""Transitions of a split and what reports show of them: the last of each career, and the outcomes."""

# E examples

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.dataset.arrays import Examples, examples_of, outcome_examples
from trajtune.dataset.encode import SplitData
from trajtune.dataset.identity.unicode_key import identity
from trajtune.dataset.profile import title_bins
from trajtune.finalizing.evaluate.career_changers import career_changers


@dataclass(frozen=True)
class Transitions:
    """Some examples, with what reports show about them.

    Attributes:
        examples: ``[E]``.
        current_ids: int32 ``[E]``: the last title that the model sees; 0 unknown.
        current_words: Normalised words of that title, ``[E]``.
        changers: bool ``[E]``: see `career_changers`.
        moved: bool ``[E]``: whether the next title is another one, by `titles.identity`.
    """

    examples: Examples
    current_ids: NDArray[np.int32]
    current_words: list[frozenset[str]]
    changers: NDArray[np.bool_]
    moved: NDArray[np.bool_]

    @property
    def everybody(self) -> NDArray[np.bool_]:
        """bool ``[E]``, all true."""
        return np.ones(len(self.examples), np.bool_)


def last_transitions(data: SplitData) -> Transitions:
    """The last transitions of one split, in the order of its careers: one for each person."""
    return _transitions(data, examples_of(data.arrays, "last"))


def with_outcome_transitions(data: SplitData, last: Transitions) -> tuple[Transitions, Transitions]:
    """The last transitions, and those to the split's `outcome_examples`: one object if they are equal."""
    outcomes = outcome_examples(data.arrays)
    return last, last if outcomes.equals(last.examples) else _transitions(data, outcomes)


def _transitions(data: SplitData, examples: Examples) -> Transitions:
    titles = data.titles.flatten()
    current = titles.take(pa.array(examples.target - 1)).to_pylist()
    following = titles.take(pa.array(examples.target)).to_pylist()
    identities = {title: identity(title) for title in {*current, *following}}
    words = {title: frozenset(identities[title].split()) for title in set(current)}
    return Transitions(
        examples,
        data.arrays.title_ids[examples.target - 1],
        [words[title] for title in current],
        career_changers(current, following),
        np.array([identities[a] != identities[b] for a, b in zip(current, following, strict=True)], np.bool_),
    )


LENGTHS: Final = (2, 3, 5, 10)
"""Where the bins of a history's length begin, besides the first."""


def reference_counts(transitions: Transitions) -> dict[str, list[int]]:
    """What later careers are compared with: counts of people, one for each.

    Returns:
        ``titles``: by current title, in the bins of `title_bins`; ``lengths``: by number of roles before the
        move, in the bins of `LENGTHS`.
    """
    lengths = np.digitize(transitions.examples.length, LENGTHS)
    return {
        "titles": title_bins(transitions.current_ids).tolist(),
        "lengths": np.bincount(lengths, minlength=len(LENGTHS) + 1).tolist(),
    }


def histories(data: SplitData, most: int) -> list[NDArray[np.int64]]:
    """Title ids of the first ``most`` careers as the model sees them: without the last title."""
    ids, examples = data.arrays.title_ids.astype(np.int64), examples_of(data.arrays, "last")
    pairs = zip(examples.start[:most], examples.target[:most], strict=True)
    return [ids[start:target] for start, target in pairs]
