"""Trains one configuration without a search: the same trial code, without Ray or a study.

Writes a log and a page with training curves.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import RunError
from trajtune.experiment.load import save_experiment
from trajtune.experiment.objective import best_epoch
from trajtune.experiment.settings import Experiment
from trajtune.page.page import Page
from trajtune.searching.trial import DAMAGE, train_trial
from trajtune.storage.atomic import write_atomically

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot

LOG: Final = "log.jsonl"
CURVES: Final = "curves.html"
VOCABULARY: Final = "vocab.json"
_EXPERIMENT: Final = "experiment.yaml"
_ORIGIN: Final = "origin.json"


def train_single(
    experiment: Experiment, snapshot: "Snapshot", output: Path, *, resume: bool = False
) -> Iterator[dict[str, Any]]:
    """Train ``experiment.training`` on a snapshot and yield the report of each epoch.

    Afterwards the directory contains ``best.pt``, ``last.pt``, ``vocab.json``, ``log.jsonl``,
    ``curves.html`` and the resolved experiment. A training that is interrupted and resumed ends with the
    same weights as one that is not.

    Args:
        experiment: Experiment whose ``training``, ``search.seed`` and ``search.metric`` are used.
        snapshot: Source of train and val; test is not read.
        output: Output directory; it must not exist unless ``resume`` is true.
        resume: Whether to resume the training in ``output``.

    Raises:
        RunError: If the directory exists and ``resume`` is false, or if it contains no training on this
            snapshot.
        TrainingError: If the loss diverges, or if the checkpoint belongs to another configuration.
    """
    _prepare_directory(experiment, snapshot, output, resume=resume)
    from trajtune.model.checkpoint import vocabulary_id
    from trajtune.model.network.title_words import words_of

    reports: list[dict[str, Any]] = []
    encoder = snapshot.encoder()
    epochs = train_trial(
        experiment.training,
        snapshot.arrays("train"),
        snapshot.arrays("val"),
        encoder.vocab_size,
        output,
        title_words=words_of(encoder),
        metric=experiment.search.metric,
        seed=experiment.search.seed,
        vocabulary=vocabulary_id(encoder),
    )
    if resume:
        reports = _read_log(output)
    while (report := _next_report(epochs)) is not None:
        if damage := report.pop(DAMAGE, None):
            print(damage, file=sys.stderr)
        # A resumed training reports its last epoch again.
        reports = [*(earlier for earlier in reports if earlier["epoch"] < report["epoch"]), report]
        write_atomically(output / LOG, "".join(json.dumps(each) + "\n" for each in reports).encode())
        yield report
    _write_curves(reports, experiment.search.metric, output / CURVES)


def _next_report(epochs: Iterator[dict[str, Any]]) -> dict[str, Any] | None:
    from trajtune.model.threads import one_thread

    with one_thread():
        return next(epochs, None)


def _prepare_directory(experiment: Experiment, snapshot: "Snapshot", output: Path, *, resume: bool) -> None:
    origin = {"snapshot": snapshot.id}
    if output.exists() and any(output.iterdir()):
        if not resume:
            raise RunError(
                f"{output} must not exist, but does. Resume it with --resume, or give another directory."
            )
        try:
            before = json.loads((output / _ORIGIN).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{output} contains no training to resume. Give another directory.") from error
        if before != origin:
            raise RunError(
                f"{output} was trained on snapshot {before.get('snapshot', '?')[:12]}, but this snapshot is "
                f"{snapshot.id[:12]}. Give the same data, or another directory."
            )
        return
    output.mkdir(parents=True, exist_ok=True)
    snapshot.encoder().save(output / VOCABULARY)
    save_experiment(experiment, output / _EXPERIMENT)
    write_atomically(output / _ORIGIN, f"{json.dumps(origin)}\n".encode())


def _read_log(output: Path) -> list[dict[str, Any]]:
    path = output / LOG
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def _write_curves(reports: list[dict[str, Any]], metric: str, path: Path) -> None:
    import plotly.graph_objects as go

    best = best_epoch(reports, metric)
    assert best is not None, "a trial raises unless its metric is finite"
    page = Page("Training curves", f"Best {metric} at epoch {best['epoch']} of {len(reports)}.")
    epochs = [report["epoch"] for report in reports]
    for heading, names in (
        ("Loss", ("train_loss", "val_next_role_nll")),
        ("Accuracy on val", ("val_top1", "val_top5", "val_mrr")),
        ("Seconds per epoch", ("seconds",)),
    ):
        page.section(heading)
        figure = go.Figure()
        for name in names:
            figure.add_scatter(name=name, x=epochs, y=[report[name] for report in reports])
        figure.update_layout(xaxis_title="epoch")
        page.figure(figure, f"{heading} by epoch.")
    page.write(path)
