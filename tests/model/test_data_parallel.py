"""Several processes train one model, as Ray Train's workers do, without Ray."""

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

Told = list[dict[str, Any]]


def part_of(arrays: CareerArrays, first: int, end: int) -> CareerArrays:
    begin, stop = arrays.offsets[first], arrays.offsets[end]
    columns = {name: values[begin:stop].copy() for name, values in arrays.to_dict().items()}
    return CareerArrays(**{**columns, "offsets": arrays.offsets[first : end + 1] - begin})


def share(arrays: CareerArrays, workers: Workers) -> CareerArrays:
    """A part of the careers, the first worker's three times as large as another's."""
    cuts = [0, *(arrays.num_careers * (3 + rank) // (workers.size + 2) for rank in range(workers.size))]
    return part_of(arrays, cuts[workers.rank], cuts[workers.rank + 1])


def by_move(arrays: CareerArrays) -> CareerArrays:
    """Careers whose outcomes are other roles than the last; the last third of the careers has none."""
    marked = ~arrays.is_outcome
    marked[arrays.offsets[:-1]] = False
    marked[arrays.offsets[arrays.num_careers * 2 // 3] :] = False
    return replace(arrays, is_outcome=marked)


def trained(params: Params, workers: Workers, checkpoint: Any = None) -> tuple[Told, list[dict[str, Any]]]:
    """What each epoch says, and its checkpoint."""
    told, states = [], []
    train, val = (share(by_move(process_arrays(num, seed)), workers) for num, seed in ((300, 0), (120, 1)))
    try:
        for result in fit(params, train, val, VOCAB_SIZE, seed=0, workers=workers, checkpoint=checkpoint):
            told.append({"loss": result.train_loss, **result.metrics})
            states.append(result.checkpoint())
    except TrainingError as error:
        told.append({"error": str(error)})
    return told, states


def exact(**options: Any) -> Params:
    """Params with which the order of examples decides nothing: each epoch is a step, without dropout."""
    return plain(
        embedding_dim=16,
        hidden_dim=8,
        max_epochs=3,
        learning_rate=0.02,
        dropout=0.0,
        embedding_dropout=0.0,
        batch_size=4096,
        tenure_weight=0.0,  # a step's mean over known tenures is taken by each worker of its own
        hireability_weight=0.0,
        **options,
    )


def as_usual(**options: Any) -> Params:
    return plain(embedding_dim=16, hidden_dim=8, max_epochs=4, learning_rate=5e-3, batch_size=33, **options)


def _in_worker(rank: int, size: int, folder: Path, jobs: list[tuple[Params, bool]]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size)
    found = []
    for params, goes_on in jobs:
        told, states = trained(params, Workers(rank, size))
        # Every worker goes on from what the first one kept of the second epoch.
        kept = Workers(rank, size).broadcast(states[1] if goes_on else None)
        again = trained(params, Workers(rank, size), kept)[0] if goes_on else []
        found.append((told, again, states[-1]["model"] if states else {}))
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def together(folder: Path, size: int, jobs: list[tuple[Params, bool]]) -> list[Any]:
    """What each of the workers found of each job."""
    mp.spawn(_in_worker, (size, folder, jobs), nprocs=size)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], list[Any]]:
    """What three workers found of a job: 0 exact, 1 exact with weights by age, 2 as usual, 3 diverging."""
    jobs = [
        (exact(), False),
        (exact(recency_half_life=1.0), False),
        (as_usual(), True),
        (as_usual().model_copy(update={"learning_rate": 1e9}), False),
    ]
    of_workers = together(tmp_path_factory.mktemp("workers"), 3, jobs)
    return lambda job: [worker[job] for worker in of_workers]


@pytest.mark.parametrize(("job", "params"), [(0, exact()), (1, exact(recency_half_life=1.0))])
def test_three_workers_train_the_model_that_one_trains(
    found: Callable[[int], list[Any]], job: int, params: Params
) -> None:
    alone, states = trained(params, ALONE)
    for told, _, weights in found(job):
        for ours, theirs in zip(told, alone, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-4)
        for name, values in states[-1]["model"].items():
            torch.testing.assert_close(weights[name], values, rtol=1e-3, atol=1e-5)


def test_each_worker_is_given_the_same_results_and_has_the_same_weights(
    found: Callable[[int], list[Any]],
) -> None:
    first, *others = found(2)
    assert len(first[0]) == 4
    for told, _, weights in others:
        assert told == first[0]
        assert all(torch.equal(weights[name], values) for name, values in first[2].items())
    alone, _ = trained(as_usual(), ALONE)
    assert alone != first[0], "the test would not see it if each trained alone"


def test_workers_go_on_bit_for_bit_from_what_the_first_kept(found: Callable[[int], list[Any]]) -> None:
    for told, again, _ in found(2):
        assert again == told[2:]


def test_all_workers_stop_where_the_loss_diverges(found: Callable[[int], list[Any]]) -> None:
    first, *others = ([epoch.get("error") for epoch in told] for told, _, _ in found(3))
    assert "Training needs a loss below" in first[-1]
    assert others == [first, first]


def test_a_batch_is_shared_out_to_the_last_example() -> None:
    assert [Workers(rank, 3).share_of(32) for rank in range(3)] == [11, 11, 10]
    assert ALONE.share_of(32) == 32


def test_no_two_workers_or_epochs_draw_the_same_numbers() -> None:
    seeds = [Workers(rank, 4).seed(seed, epoch) for rank in range(4) for epoch in range(5) for seed in (0, 1)]
    assert len(np.unique(seeds)) == len(seeds)
