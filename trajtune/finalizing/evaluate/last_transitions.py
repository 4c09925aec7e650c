"""Transitions of a split with data for reports: the last one of each career, and those with outcomes."""

# E examples

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.dataset.arrays import Examples, examples_of, outcome_examples
from trajtune.dataset.encode import SplitData
from trajtune.dataset.identity.unicode_key import identity
from trajtune.dataset.profiling.drift import title_bins
from trajtune.finalizing.evaluate.career_changers import career_changers


@dataclass(frozen=True)
class Transitions:
    """Examples with data for reports.

    Attributes:
        examples: The examples, ``[E]``.
        current_ids: Id of the last title that the model sees, int32 ``[E]``; 0 is unknown.
        current_words: Normalised words of the current title, ``[E]``.
        changers: Whether the career changes, bool ``[E]``, see `career_changers`.
        moved: Whether the next title is another title by `titles.identity`, bool ``[E]``.
    """

    examples: Examples
    current_ids: NDArray[np.int32]
    current_words: list[frozenset[str]]
    changers: NDArray[np.bool_]
    moved: NDArray[np.bool_]

    @property
    def everybody(self) -> NDArray[np.bool_]:
        """A selection of all examples: bool ``[E]``, all true."""
        return np.ones(len(self.examples), np.bool_)


def last_transitions(data: SplitData) -> Transitions:
    """Return the last transition of each person in a split, in the order of its careers."""
    return _transitions(data, examples_of(data.arrays, "last"))


def with_outcome_transitions(data: SplitData, last: Transitions) -> tuple[Transitions, Transitions]:
    """Return ``last`` and the transitions to `outcome_examples`; they are one object if equal."""
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
"""First number of roles of each bin of history lengths after the first bin."""


def reference_counts(transitions: Transitions) -> dict[str, list[int]]:
    """Count the people of test; `trajtune monitor` compares later careers with these counts.

    Returns:
        ``titles``: counts by current title, in the bins of `title_bins`; ``lengths``: counts by number of
        roles before the move, in the bins of `LENGTHS`.
    """
    lengths = np.digitize(transitions.examples.length, LENGTHS)
    return {
        "titles": title_bins(transitions.current_ids).tolist(),
        "lengths": np.bincount(lengths, minlength=len(LENGTHS) + 1).tolist(),
    }


def histories(data: SplitData, most: int) -> list[NDArray[np.int64]]:
    """Return the title ids of the first ``most`` careers without the last title, as input of the model."""
    ids, examples = data.arrays.title_ids.astype(np.int64), examples_of(data.arrays, "last")
    pairs = zip(examples.start[:most], examples.target[:most], strict=True)
    return [ids[start:target] for start, target in pairs]
