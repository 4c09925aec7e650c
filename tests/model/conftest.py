"""Careers of a small random process, as arrays, and one thread for exact comparisons."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from trajtune.dataset.arrays import CareerArrays
from trajtune.experiment.params import Params

VOCAB_SIZE = 25


def plain(**options: Any) -> Params:
    """Params with every model option off but those given."""
    off = {
        "tie_weights": False,
        "skip_last_title": False,
        "title_changes": False,
        "repeat_gate": False,
        "title_vectors": "id",
        "markov_prior": False,
        "weight_decay": 0.0,
        "decay_embeddings": False,
        "schedule": "constant",
    }
    return Params(**{**off, **options})


def process_arrays(num_careers: int, seed: int, most_roles: int = 6) -> CareerArrays:
    """Careers in which the next title is one of two that follow the current one, 3 : 1.

    One title in twenty is unknown, a third of last roles is still held, and whoever holds an
    even title stays longer. All arrays are read-only, as from Ray's object store.
    """
    random = np.random.default_rng(seed)
    num_roles = random.integers(2, most_roles + 1, num_careers)
    offsets = np.concatenate([[0], np.cumsum(num_roles)]).astype(np.int64)
    ids = np.empty(offsets[-1], np.int32)
    for first, end in pairwise(offsets):
        title = random.integers(1, VOCAB_SIZE)
        for role in range(first, end):
            ids[role] = title
            title = (title + (1 if random.random() < 0.75 else 5)) % (VOCAB_SIZE - 1) + 1
    at_least = (random.lognormal(2.5, 0.4, len(ids)) * np.where(ids % 2 == 0, 3, 1)).astype(np.float32)
    months = at_least.copy()
    held = offsets[1:][random.random(num_careers) < 1 / 3] - 1
    months[held] = np.nan
    hireable = np.where(np.isnan(months), np.nan, months >= 20).astype(np.float32)
    ids[random.random(len(ids)) < 0.05] = 0
    arrays = CareerArrays(ids, offsets, months, at_least, hireable)
    for array in arrays.to_dict().values():
        array.setflags(write=False)
    return arrays


@pytest.fixture(scope="session")
def careers() -> Callable[..., CareerArrays]:
    return process_arrays


@pytest.fixture(scope="session")
def vocab_size() -> int:
    return VOCAB_SIZE


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
