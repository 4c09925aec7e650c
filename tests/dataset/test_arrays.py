"""Examples are slices of the ragged arrays."""

from dataclasses import replace

import numpy as np

from trajtune.dataset.arrays import CareerArrays, examples_of, last_roles, outcome_examples, roles_not_read


def careers(*num_roles: int) -> CareerArrays:
    total = sum(num_roles)
    values = np.arange(total, dtype=np.float32)
    offsets = np.cumsum([0, *num_roles]).astype(np.int64)
    return CareerArrays(
        np.arange(1, total + 1, dtype=np.int32),
        offsets,
        values,
        values,
        values,
        values.astype(np.int32),
        last_roles(offsets),
    )


def test_last_gives_one_example_a_career() -> None:
    found = examples_of(careers(2, 4), "last")
    assert (found.start.tolist(), found.length.tolist(), found.target.tolist()) == ([0, 2], [1, 3], [1, 5])


def test_every_transition_gives_each_prefix_in_order() -> None:
    found = examples_of(careers(2, 4), "every_transition")
    assert found.start.tolist() == [0, 2, 2, 2]
    assert found.length.tolist() == [1, 1, 2, 3]
    assert found.target.tolist() == [1, 3, 4, 5]


def test_no_careers_give_no_examples() -> None:
    assert len(examples_of(careers(), "every_transition")) == len(examples_of(careers(), "last")) == 0


def test_arrays_round_trip_through_a_dict_without_a_copy() -> None:
    arrays = careers(3)
    assert CareerArrays.from_dict(arrays.to_dict()).title_ids is arrays.title_ids


def test_outcomes_are_the_marked_roles_with_the_roles_before_them() -> None:
    arrays = careers(2, 4, 3)
    last, found = examples_of(arrays, "last"), outcome_examples(arrays)
    assert found.equals(last)
    marked = np.isin(np.arange(9), [3, 4, 7])
    found = outcome_examples(replace(arrays, is_outcome=marked))
    assert (found.start.tolist(), found.length.tolist()) == ([2, 2, 6], [1, 2, 1])
    assert found.target.tolist() == [3, 4, 7]
    assert not found.equals(last)


def test_roles_that_a_limited_model_does_not_read_are_counted() -> None:
    # Before the last role, the careers have 1, 3 and 6 roles.
    assert roles_not_read(careers(2, 4, 7), 2) == (2, 1 + 4)
    assert roles_not_read(careers(2, 4, 7), 6) == (0, 0)
    assert roles_not_read(careers(2, 4, 7), 0) == (0, 0)
    assert roles_not_read(careers(), 2) == (0, 0)
