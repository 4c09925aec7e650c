from collections.abc import Callable

import numpy as np
import pytest

from trajtune.dataset.arrays import CareerArrays, Examples, examples_of
from trajtune.model.baselines.copies import copies_of, has_copies


def expected_copies(history: list[int]) -> dict[int, float]:
    """Return the copy distribution of one history."""
    distinct = list(dict.fromkeys(title for title in reversed(history[:-1]) if title))
    total = sum(0.7**place for place in range(len(distinct)))
    return {title: 0.7**place / total for place, title in enumerate(distinct)}


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([5], {}),
        ([0, 5], {}),
        ([3, 5], {3: 1.0}),
        ([3, 3, 4, 3, 5], {3: 1 / 1.7, 4: 0.7 / 1.7}),
        ([5, 3, 5], {3: 1 / 1.7, 5: 0.7 / 1.7}),
        ([1, 0, 2, 0, 5], {2: 1 / 1.7, 1: 0.7 / 1.7}),
    ],
)
def test_older_titles_have_less_weight(history: list[int], expected: dict[int, float]) -> None:
    assert expected_copies(history) == pytest.approx(expected)


def test_copies_match_a_plain_implementation(careers: Callable[..., CareerArrays]) -> None:
    arrays = careers(150, seed=0, most_roles=9)
    examples = examples_of(arrays, "every_transition")
    copies = copies_of(arrays, examples)
    seen = 0
    for e, (start, end) in enumerate(zip(examples.start, examples.target, strict=True)):
        expected = expected_copies(arrays.title_ids[start:end].tolist())
        of_example = slice(copies.offsets[e], copies.offsets[e + 1])
        assert copies.titles[of_example].tolist() == list(expected)
        np.testing.assert_allclose(copies.probability[of_example], list(expected.values()), rtol=1e-12)
        assert has_copies(arrays, examples)[e] == bool(expected)
        seen += len(expected) > 2
    assert seen > 50


def test_the_probability_of_a_target_matches_the_mixed_row(careers: Callable[..., CareerArrays]) -> None:
    arrays = careers(100, seed=1)
    examples = examples_of(arrays, "last")
    copies, target = copies_of(arrays, examples), arrays.title_ids[examples.target].astype(np.int64)
    rows = np.full((len(examples), 25), 0.04)
    mixed = copies.mix_into(rows.copy(), 0.3)
    has_any = has_copies(arrays, examples)
    np.testing.assert_array_equal(mixed[~has_any], rows[~has_any])
    np.testing.assert_allclose(mixed.sum(1), 1, rtol=1e-12)
    found = mixed[np.arange(len(target)), target]
    np.testing.assert_allclose(found[has_any], 0.7 * 0.04 + 0.3 * copies.of(target)[has_any], rtol=1e-12)


def test_without_examples_there_are_no_copies(careers: Callable[..., CareerArrays]) -> None:
    nothing = np.empty(0, np.int64)
    copies = copies_of(careers(3, seed=0), Examples(nothing, nothing))
    assert copies.offsets.tolist() == [0]
    assert not len(copies.titles)
