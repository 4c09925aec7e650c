from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.model.conftest import plain
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.model.batches import Loader, create_dataloaders, prediction_batch_size, shared


@pytest.fixture
def arrays(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(203, seed=3, most_roles=9)


def loader_of(arrays: CareerArrays, batch_size: int = 16, seed: int | None = 0) -> Loader:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return Loader(arrays, examples_of(arrays, "every_transition"), batch_size, generator=generator)


@pytest.mark.parametrize("seed", [None, 0])
def test_each_example_occurs_once_per_epoch_in_the_fewest_possible_batches(
    arrays: CareerArrays, seed: int | None
) -> None:
    loader = loader_of(arrays, seed=seed)
    batches = list(loader)
    assert torch.cat([batch.index for batch in batches]).sort().values.tolist() == list(
        range(len(loader.examples))
    )
    assert len(batches) == len(loader) == -(-len(loader.examples) // 16)


def test_batches_match_a_plain_loop(arrays: CareerArrays) -> None:
    loader = loader_of(arrays)
    for batch in loader:
        for row, example in enumerate(batch.index.tolist()):
            start, length = loader.examples.start[example], loader.examples.length[example]
            inside = batch.title_ids.shape[1] if batch.lengths is None else int(batch.lengths[row])
            assert inside == length
            assert batch.title_ids[row, :inside].tolist() == arrays.title_ids[start : start + length].tolist()
            assert batch.next_title[row] == arrays.title_ids[start + length]
            np.testing.assert_equal(
                batch.tenure_months[row].item(), arrays.tenure_months[start + length].item()
            )
            np.testing.assert_equal(batch.hireable[row].item(), arrays.hireable[start + length].item())


def test_only_remaining_careers_are_padded(arrays: CareerArrays) -> None:
    loader = loader_of(arrays)
    padded = sum(len(batch.index) for batch in loader if batch.lengths is not None)
    assert padded <= 15 * len(np.unique(loader.examples.length))


def test_epochs_differ_and_the_seed_reproduces_them(arrays: CareerArrays) -> None:
    def two_epochs(seed: int) -> list[list[int]]:
        loader = loader_of(arrays, seed=seed)
        return [torch.cat([batch.index for batch in loader]).tolist() for _ in range(2)]

    first, second = two_epochs(1)
    assert first != second
    assert two_epochs(1) == [first, second]
    assert two_epochs(2) != [first, second]


def test_batches_of_one_length_differ_between_epochs(arrays: CareerArrays) -> None:
    loader = loader_of(arrays)
    mates = [{frozenset(batch.index.tolist()) for batch in loader} for _ in range(2)]
    assert not mates[0] & mates[1]


def test_arrays_are_shared_not_copied(arrays: CareerArrays) -> None:
    assert not arrays.title_ids.flags.writeable
    assert shared(arrays.title_ids).data_ptr() == arrays.title_ids.ctypes.data


def test_validation_reads_each_last_transition(arrays: CareerArrays, vocab_size: int) -> None:
    _, val = create_dataloaders(plain(), arrays, arrays, vocab_size, seed=0)
    assert len(val.examples) == arrays.num_careers
    np.testing.assert_equal(val.examples.target, arrays.offsets[1:] - 1)


def test_a_large_vocabulary_makes_prediction_batches_small() -> None:
    assert prediction_batch_size(100) == 1024
    assert prediction_batch_size(50_000) * 50_000 * 4 <= 2**23
    assert prediction_batch_size(10**9) == 1


def test_labels_that_are_rare_because_of_censoring_have_larger_weights() -> None:
    # Each career has two roles. Half of the second roles are still held: a half of these for five months, the
    # other half for twenty months.
    nan, num = np.nan, 400
    second = np.tile(np.array([3, nan, 30, nan], np.float32), num // 4)
    at_least = np.tile(np.array([3, 5, 30, 20], np.float32), num // 4)
    label = np.tile(np.array([0, nan, 1, 1], np.float32), num // 4)

    def per_role(of_second: np.ndarray) -> np.ndarray:
        return np.stack([np.full(num, nan, np.float32), of_second], 1).ravel()

    ids = np.ones(2 * num, np.int32)
    columns = per_role(second), per_role(at_least), per_role(label)
    arrays = CareerArrays(ids, np.arange(0, 2 * num + 1, 2), *columns, ids, ids > 0)
    train, val = create_dataloaders(plain(batch_size=num), arrays, arrays, 5, seed=0)
    (batch,) = train
    assert batch.hireable_weight is not None
    by_label = {value: batch.hireable_weight[batch.hireable == value].unique().tolist() for value in (0, 1)}
    # One of three roles that last longer is not observed after five months: the weights are 1 and 3 / 2, with
    # mean 4 / 3.
    assert by_label[0] == pytest.approx([0.75])
    assert by_label[1] == pytest.approx([1.125])
    assert all(batch.hireable_weight is None for batch in val)
