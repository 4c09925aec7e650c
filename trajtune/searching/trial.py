"""One trial: trains with checkpoints and continues where the last attempt stopped. Knows nothing of Ray.

A trial's directory contains ``best.pt`` (weights at the best epoch), ``last.pt`` (everything needed to
resume) and ``previous.pt`` (the same, one epoch earlier; used if ``last.pt`` is damaged).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from trajtune.dataset.arrays import CareerArrays
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.searching.serving_cost import serving_cost
from trajtune.storage.path import StoredPath, rename

if TYPE_CHECKING:
    from trajtune.model.data_parallel import Workers
    from trajtune.model.network.title_words import TitleWords
    from trajtune.model.training.epoch import EpochTrainer

BEST: Final = "best.pt"
LAST: Final = "last.pt"
PREVIOUS: Final = "previous.pt"
DAMAGE: Final = "damage"
"""Key in a trial's first report if checkpoints were damaged: one line that names them and what was done."""

_REPORTS: Final = "reports"
_MEASURED: Final = "measured"


def train_trial(
    params: Params,
    train: CareerArrays,
    val: CareerArrays,
    vocab_size: int,
    directory: StoredPath,
    *,
    title_words: "TitleWords",
    metric: str,
    seed: int,
    constrained: frozenset[str] = frozenset(),
    device: str = "cpu",
    vocabulary: str | None = None,
    recorded: int | None = None,
    workers: "Workers | None" = None,
    trainer: "EpochTrainer | None" = None,
) -> Iterator[dict[str, Any]]:
    """Train until patience or the last epoch ends the training, and yield the report of each epoch.

    If the directory contains a checkpoint, training continues after it. The epoch of the checkpoint is
    reported again first, because the last process may have died between saving and recording. If more epochs
    are missing in the record, they are reported too: a checkpoint contains the reports of all epochs.
    Damaged checkpoints are deleted, and the first report lists them under `DAMAGE`.

    Args:
        params: The params to train.
        train, val: The careers of the two splits.
        vocab_size: Number of titles, including the unknown title.
        directory: Directory of the trial's checkpoints; created if missing.
        title_words: The words of the vocabulary's titles.
        metric: The first objective; ``best.pt`` contains the weights of its best epoch.
        seed: Seed of the weights and of the order of examples.
        constrained: Metrics named in constraints; the model's size and latency are measured if among them.
        device: Torch device.
        vocabulary: Id of the vocabulary, for checkpoints that are used without their snapshot.
        recorded: Number of epochs already recorded; None: all, except possibly the last.
        workers: Data-parallel workers, each with part of the careers. The first one reads and writes the
            checkpoints.
        trainer: Trains each epoch, for example together with other trials; None: alone.

    Yields:
        ``epoch`` (from 1), ``train_loss``, ``seconds`` and the metrics; undefined metrics are None.

    Raises:
        TrainingError: If the loss or the objective is not a finite number.
    """
    from trajtune.model.data_parallel import ALONE
    from trajtune.model.training.epoch import train_alone
    from trajtune.model.training.fit import fit

    workers = workers or ALONE
    state, damaged = workers.broadcast(newest_checkpoint(directory) if workers.is_first else (None, []))
    damage = _damage(damaged, state)
    costs_to_serve = None
    reports: list[dict[str, Any]] = []
    if state is not None:
        costs_to_serve, reports = state[_MEASURED], list(state[_REPORTS])
        num_reported = len(reports) - 1
        for report in reports[num_reported if recorded is None else min(num_reported, recorded) :]:
            yield {**report, **damage}
            damage = {}
    epochs = fit(
        *(params, train, val, vocab_size),
        seed=seed,
        checkpoint=state,
        title_words=title_words,
        device=device,
        workers=workers,
        metric=metric,
        trainer=trainer or train_alone,
    )
    for result in epochs:
        if costs_to_serve is None:
            costs_to_serve = serving_cost(result.checkpoint(copy=False), constrained)
        report = {
            "epoch": result.epoch,
            "train_loss": result.train_loss,
            "seconds": result.seconds,
            **result.metrics,
            **costs_to_serve,
        }
        reports = [*reports, report]
        if workers.is_first:
            # The checkpoint is saved before the next epoch starts, so no copy is needed.
            checkpoint = {
                **result.checkpoint(copy=False),
                _REPORTS: reports,
                _MEASURED: costs_to_serve,
            }
            if vocabulary is not None:
                checkpoint["vocabulary"] = vocabulary
            _save(checkpoint, directory, is_best=result.best_epoch == result.epoch)
        yield {**report, **damage}
        damage = {}


def _save(checkpoint: Mapping[str, Any], directory: StoredPath, *, is_best: bool) -> None:
    from trajtune.model.checkpoint import save_checkpoint, without_optimizer

    directory.mkdir(parents=True, exist_ok=True)
    if is_best:
        save_checkpoint(without_optimizer(checkpoint), directory / BEST)
    if (directory / LAST).exists():
        rename(directory / LAST, PREVIOUS)
    save_checkpoint(checkpoint, directory / LAST)


def newest_checkpoint(directory: StoredPath) -> tuple[Mapping[str, Any] | None, list[str]]:
    """Return the newest intact checkpoint, or None without one, and the names of damaged checkpoints.

    Damaged checkpoints are deleted, so that they never replace an intact ``previous.pt``.
    """
    damaged: list[str] = []
    from trajtune.model.checkpoint import load_checkpoint

    for name in (LAST, PREVIOUS):
        path = directory / name
        if not path.exists():
            continue
        try:
            return load_checkpoint(path), damaged
        except TrainingError as error:
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None  # unreadable here, but possibly intact
            damaged.append(name)
            path.unlink()
    return None, damaged


def _damage(damaged: list[str], state: Mapping[str, Any] | None) -> dict[str, str]:
    if not damaged:
        return {}
    outcome = f"continued after epoch {state['epoch']}" if state else "started again"
    return {DAMAGE: f"damaged: {', '.join(damaged)}; training {outcome}"}


def predicting(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a prediction needs from a ``best.pt``, with its epoch and metrics, but without timings."""
    # Earlier versions stored another best epoch in the checkpoint. The last report is always of its weights.
    report = state[_REPORTS][-1]
    return {
        **{key: value for key, value in state.items() if key not in {_REPORTS, _MEASURED}},
        "best_epoch": state["epoch"],
        "best_metrics": {name: report[name] for name in state["best_metrics"]},
    }


def delete_resumable(directory: StoredPath) -> None:
    """Delete the checkpoints that only an unfinished trial needs."""
    for name in (LAST, PREVIOUS):
        (directory / name).unlink(missing_ok=True)
