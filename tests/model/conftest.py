"""Careers from a small random process, as arrays; torch uses one thread for exact comparisons."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from trajtune.dataset.arrays import CareerArrays, last_roles
from trajtune.experiment.params import Params
from trajtune.model.network.lstm import FactoredLogits
from trajtune.model.network.title_words import TitleWords, number_words

VOCAB_SIZE = 25


def plain(**options: Any) -> Params:
    """Return params in which every model option is off, except for the given ones."""
    off = {
        "tie_weights": False,
        "skip_last_title": False,
        "title_changes": False,
        "career_start": False,
        "repeat_gate": False,
        "copy_head": False,
        "title_vectors": "id",
        "weight_decay": 0.0,
        "decay_embeddings": False,
        "schedule": "constant",
    }
    return Params(**{**off, **options})


def factored(logits: torch.Tensor) -> FactoredLogits:
    """Return logits ``[B, V]`` as factored logits, with the identity as the second factor."""
    num_titles = logits.shape[1]
    identity = torch.eye(num_titles, dtype=logits.dtype)
    return FactoredLogits(logits, identity, logits.new_zeros(num_titles), None, None)


SMALL = plain(embedding_dim=16, hidden_dim=8, max_epochs=4, learning_rate=5e-3)
"""Params of a model that trains in a second."""

OPTIONS: list[dict[str, Any]] = [
    {"tie_weights": True},
    {"skip_last_title": True},
    {"title_vectors": "id_and_words"},
    {"title_changes": True},
    {"career_start": True},
    {"title_changes": True, "career_start": True},
    {"copy_head": True},
    {"tie_weights": True, "skip_last_title": True, "copy_head": True, "repeat_gate": True},
    {"repeat_gate": True},
    {"tie_weights": True, "skip_last_title": True, "title_vectors": "id_and_words"},
    {"tie_weights": True, "skip_last_title": True, "title_changes": True, "repeat_gate": True},
    {"embedding_dropout": 0.2, "weight_decay": 0.1},
    {"schedule": "cosine", "warmup_epochs": 0.5},
    {"schedule": "one_cycle", "weight_decay": 0.1, "decay_embeddings": True},
]
"""Every option of model and training, alone or combined with others."""


def process_arrays(num_careers: int, seed: int, most_roles: int = 6) -> CareerArrays:
    """Return careers in which one of two titles follows the current one, with probabilities 3/4 and 1/4.

    One title in twenty is unknown, a third of the last roles is still held, and titles with even numbers have
    longer tenures. All arrays are read-only, like arrays from Ray's object store.
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
    starts = np.arange(len(ids), dtype=np.int32)
    arrays = CareerArrays(ids, offsets, months, at_least, hireable, starts, last_roles(offsets))
    for array in arrays.to_dict().values():
        array.setflags(write=False)
    return arrays


@pytest.fixture(scope="session")
def careers() -> Callable[..., CareerArrays]:
    return process_arrays


@pytest.fixture(scope="session")
def train() -> CareerArrays:
    return process_arrays(300, seed=0)


@pytest.fixture(scope="session")
def val() -> CareerArrays:
    return process_arrays(120, seed=1)


@pytest.fixture(scope="session")
def words() -> TitleWords:
    """Two words for each title, both of which also occur in other titles."""
    return number_words([[f"family {title % 4}", f"level {title % 6}"] for title in range(1, VOCAB_SIZE)])


@pytest.fixture(scope="session")
def vocab_size() -> int:
    return VOCAB_SIZE


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
