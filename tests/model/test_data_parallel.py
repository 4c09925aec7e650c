"""Several processes train one model, like the workers of Ray Train, but without Ray."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.model.conftest import VOCAB_SIZE, plain, process_arrays
from trajtune.dataset.arrays import CareerArrays
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.model.data_parallel import ALONE, Workers
from trajtune.model.training.fit import fit

pytestmark = pytest.mark.slow

Epochs = list[dict[str, Any]]


def part_of(arrays: CareerArrays, first: int, end: int) -> CareerArrays:
    begin, stop = arrays.offsets[first], arrays.offsets[end]
    columns = {name: values[begin:stop].copy() for name, values in arrays.to_dict().items()}
    return CareerArrays(**{**columns, "offsets": arrays.offsets[first : end + 1] - begin})


def share(arrays: CareerArrays, workers: Workers) -> CareerArrays:
    """Return a worker's share of the careers; the first share is three times as large as the others."""
    cuts = [0, *(arrays.num_careers * (3 + rank) // (workers.size + 2) for rank in range(workers.size))]
    return part_of(arrays, cuts[workers.rank], cuts[workers.rank + 1])


def by_move(arrays: CareerArrays) -> CareerArrays:
    """Return careers whose outcomes are not the last roles; the last third of the careers has no outcomes."""
    marked = ~arrays.is_outcome
    marked[arrays.offsets[:-1]] = False
    marked[arrays.offsets[arrays.num_careers * 2 // 3] :] = False
    return replace(arrays, is_outcome=marked)


def trained(params: Params, workers: Workers, checkpoint: Any = None) -> tuple[Epochs, list[dict[str, Any]]]:
    """Return the metrics and the checkpoint of each epoch."""
    epochs, states = [], []
    train, val = (share(by_move(process_arrays(num, seed)), workers) for num, seed in ((300, 0), (120, 1)))
    try:
        for result in fit(params, train, val, VOCAB_SIZE, seed=0, workers=workers, checkpoint=checkpoint):
            epochs.append({"loss": result.train_loss, **result.metrics})
            states.append(result.checkpoint())
    except TrainingError as error:
        epochs.append({"error": str(error)})
    return epochs, states


def exact(**options: Any) -> Params:
    """Return params for which the order of examples has no effect: one step per epoch, no dropout."""
    return plain(
        embedding_dim=16,
        hidden_dim=8,
        max_epochs=3,
        learning_rate=0.02,
        dropout=0.0,
        embedding_dropout=0.0,
        batch_size=4096,
        tenure_weight=0.0,  # each worker takes a separate mean over known tenures
        hireability_weight=0.0,
        **options,
    )


def as_usual(**options: Any) -> Params:
    return plain(embedding_dim=16, hidden_dim=8, max_epochs=4, learning_rate=5e-3, batch_size=33, **options)


def _in_worker(rank: int, size: int, folder: Path, jobs: list[tuple[Params, bool]]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size)
    found = []
    for params, resumes in jobs:
        epochs, states = trained(params, Workers(rank, size))
        # Every worker resumes from the first worker's checkpoint of the second epoch.
        checkpoint = Workers(rank, size).broadcast(states[1] if resumes else None)
        again = trained(params, Workers(rank, size), checkpoint)[0] if resumes else []
        found.append((epochs, again, states[-1]["model"] if states else {}))
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def together(folder: Path, size: int, jobs: list[tuple[Params, bool]]) -> list[Any]:
    """Return the results of each worker for each job."""
    mp.spawn(_in_worker, (size, folder, jobs), nprocs=size)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], list[Any]]:
    """Results of three workers by job: 0 exact, 1 exact with weights by age, 2 usual params, 3 diverging."""
    jobs = [
        (exact(), False),
        (exact(recency_half_life=1.0), False),
        (as_usual(), True),
        (as_usual().model_copy(update={"learning_rate": 1e9}), False),
    ]
    of_workers = together(tmp_path_factory.mktemp("workers"), 3, jobs)
    return lambda job: [worker[job] for worker in of_workers]


@pytest.mark.parametrize(("job", "params"), [(0, exact()), (1, exact(recency_half_life=1.0))])
def test_three_workers_train_the_same_model_as_one(
    found: Callable[[int], list[Any]], job: int, params: Params
) -> None:
    alone, states = trained(params, ALONE)
    for epochs, _, weights in found(job):
        for ours, theirs in zip(epochs, alone, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-4)
        for name, values in states[-1]["model"].items():
            torch.testing.assert_close(weights[name], values, rtol=1e-3, atol=1e-5)


def test_all_workers_have_the_same_results_and_weights(
    found: Callable[[int], list[Any]],
) -> None:
    first, *others = found(2)
    assert len(first[0]) == 4
    for epochs, _, weights in others:
        assert epochs == first[0]
        assert all(torch.equal(weights[name], values) for name, values in first[2].items())
    alone, _ = trained(as_usual(), ALONE)
    assert alone != first[0], "otherwise the test could not detect workers that train separately"


def test_workers_resume_bit_for_bit_from_the_first_workers_checkpoint(
    found: Callable[[int], list[Any]],
) -> None:
    for epochs, again, _ in found(2):
        assert again == epochs[2:]


def test_all_workers_stop_if_the_loss_diverges(found: Callable[[int], list[Any]]) -> None:
    first, *others = ([epoch.get("error") for epoch in epochs] for epochs, _, _ in found(3))
    assert "Training needs a loss below" in first[-1]
    assert others == [first, first]


def test_a_batch_is_divided_among_workers_without_remainder() -> None:
    assert [Workers(rank, 3).share_of(32) for rank in range(3)] == [11, 11, 10]
    assert ALONE.share_of(32) == 32


def test_workers_and_epochs_have_different_seeds() -> None:
    seeds = [Workers(rank, 4).seed(seed, epoch) for rank in range(4) for epoch in range(5) for seed in (0, 1)]
    assert len(np.unique(seeds)) == len(seeds)
