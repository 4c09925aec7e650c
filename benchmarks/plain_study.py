"""A search as a user would write it: `optuna.study.optimize` around a plain loop, one trial after another.

The model, the space, the number of trials, the first trial, the sampler and the early stopping are the same
as in trajtune's search. Nothing is pruned, and torch uses all cores.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import torch

from benchmarks.training import plain_loader, plain_step
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.space import Space
from trajtune.model.batches import Loader
from trajtune.model.checkpoint import new_model
from trajtune.model.training.epoch import evaluate

Reached = list[tuple[float, float]]
"""For each epoch, the seconds since the start of the search and the validation NLL."""


def plain_study(
    snapshot: Snapshot, space: Space, base: Params, *, trials: int, cores: int, seed: int, directory: Path
) -> Reached:
    """Run the study and return its NLLs over time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(cores)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    train, val = (snapshot.read(split).arrays for split in ("train", "val"))
    vocab_size = snapshot.encoder().vocab_size
    reached: Reached = []
    began = time.perf_counter()

    def objective(trial: optuna.Trial) -> float:
        suggested = space.suggest(trial)
        params = RESEARCH_DEFAULT if trial.number == 0 else space.resolve(base, suggested)
        best = float("inf")
        for nll in plain_epochs(params, train, val, vocab_size, seed):
            reached.append((time.perf_counter() - began, nll))
            best = min(best, nll)
        return best

    study = optuna.create_study(
        storage=f"sqlite:///{directory / 'plain.db'}",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.NopPruner(),
    )
    study.enqueue_trial(space.searched_values(RESEARCH_DEFAULT))
    study.optimize(objective, n_trials=trials)
    torch.set_num_threads(threads)
    return reached


def plain_epochs(
    params: Params, train: CareerArrays, val: CareerArrays, vocab_size: int, seed: int
) -> Iterator[float]:
    """Yield the validation NLL of each epoch, until patience runs out or after the last epoch."""
    torch.manual_seed(seed)
    model = new_model(params, vocab_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=params.learning_rate)
    loader = plain_loader(train, params.batch_size)
    val_loader = Loader(val, examples_of(val, "last"), 512)
    best, best_epoch = float("inf"), 0
    for epoch in range(1, params.max_epochs + 1):
        model.train()
        for batch in loader:
            plain_step(model, optimizer, batch, params)
        nll = evaluate(model, val_loader)["val_next_role_nll"]
        assert nll is not None
        yield nll
        if nll < best:
            best, best_epoch = nll, epoch
        if epoch - best_epoch >= params.patience:
            return
