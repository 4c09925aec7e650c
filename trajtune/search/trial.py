"""One trial: train with checkpoints, from wherever the last attempt got to. Knows nothing of Ray.

A trial's directory holds ``best.pt`` (weights at the best epoch), ``last.pt`` (all that is needed to
go on) and ``previous.pt`` (the same one epoch earlier, should ``last.pt`` turn out damaged).
"""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.dataset.arrays import CareerArrays
from trajtune.errors import TrainingError
from trajtune.experiment import Params

if TYPE_CHECKING:
    from trajtune.model.title_vectors import TitleWords

BEST: Final = "best.pt"
LAST: Final = "last.pt"
PREVIOUS: Final = "previous.pt"
_REPORT: Final = "report"


def train_trial(
    params: Params,
    train: CareerArrays,
    val: CareerArrays,
    vocab_size: int,
    directory: Path,
    *,
    title_words: "TitleWords",
    metric: str,
    seed: int,
    device: str = "cpu",
    vocabulary: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Train until patience or the last epoch, yielding what each epoch reports.

    If the directory holds a checkpoint, training goes on after it and its epoch is reported again
    first: whoever died may have died between the checkpoint and the record.

    Args:
        params: What to train.
        train, val: Careers.
        vocab_size: Titles, the unknown one included.
        directory: Where the trial's checkpoints are; made if missing.
        title_words: The words of the vocabulary's titles.
        metric: The objective; minimised.
        seed: Of the weights and the order of examples.
        device: Where torch trains.
        vocabulary: Name of the vocabulary, for checkpoints that are used without their snapshot.

    Yields:
        ``epoch`` (from 1), ``train_loss``, ``seconds`` and the metrics; None where undefined.

    Raises:
        TrainingError: If the loss or the objective is not a finite number.
    """
    from trajtune.model.checkpoint import save_checkpoint, without_optimizer
    from trajtune.model.fit import fit

    directory.mkdir(parents=True, exist_ok=True)
    state = newest_checkpoint(directory)
    if state is not None:
        yield dict(state[_REPORT])
    for result in fit(
        params, train, val, vocab_size, seed=seed, checkpoint=state, title_words=title_words, device=device
    ):
        report = {
            "epoch": result.epoch,
            "train_loss": result.train_loss,
            "seconds": result.seconds,
            **result.metrics,
        }
        value = report[metric]
        if value is None or not math.isfinite(value):
            raise TrainingError(
                f"`{metric}` must be a finite number, but is {value} after epoch {result.epoch}. "
                "Lower the learning rate, or give val careers whose next title is known."
            )
        # Saved before the next epoch begins, so nothing need be copied.
        checkpoint = {**result.checkpoint(copy=False), _REPORT: report}
        if vocabulary is not None:
            checkpoint["vocabulary"] = vocabulary
        if result.is_best:
            save_checkpoint(without_optimizer(checkpoint), directory / BEST)
        if (directory / LAST).exists():
            os.replace(directory / LAST, directory / PREVIOUS)
        save_checkpoint(checkpoint, directory / LAST)
        yield report


def newest_checkpoint(directory: Path) -> Mapping[str, Any] | None:
    """The newest checkpoint in the directory that is whole; None if there is none.

    A damaged one is deleted, so that it cannot take the place of the one before.
    """
    from trajtune.model.checkpoint import load_checkpoint

    for name in (LAST, PREVIOUS):
        path = directory / name
        if not path.exists():
            continue
        try:
            return load_checkpoint(path)
        except TrainingError:
            path.unlink()
    return None


def delete_resumable(directory: Path) -> None:
    """Delete what only an unfinished trial needs."""
    for name in (LAST, PREVIOUS):
        (directory / name).unlink(missing_ok=True)
