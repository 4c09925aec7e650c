"""Which trainings to average for export: some of each of the best configurations, or the seeds of the winner.

Both are built from the runs that ``python -m benchmarks.real`` left below ``real/runs``, mixed with the
n-gram and trained again on everything known, as finalize does. They are compared on the test split, person
by person (paired bootstrap). What a run directory already contains is not trained again.
Usage, from the project's root:

    python -m benchmarks.averaging [--runs DIRECTORY] [--json FILE]
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from benchmarks.real_sets import WORK
from benchmarks.rows import result
from trajtune.cluster import ray_session
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.test_split import open_test_split
from trajtune.finalizing import choose
from trajtune.finalizing.averaging import averaged_refits
from trajtune.finalizing.evaluate.bootstrap import gain
from trajtune.finalizing.mixture import ValLosses
from trajtune.finalizing.selection import Refit
from trajtune.model.checkpoint import build_model
from trajtune.model.metrics import next_role
from trajtune.model.predict import predict
from trajtune.model.predictions import Predictions
from trajtune.searching.runs.directory import Run, open_run
from trajtune.searching.runs.snapshot_of_run import snapshot_of_run
from trajtune.storage.atomic import write_atomically

Selection = Callable[[Mapping[str, Sequence[Refit]], ValLosses], list[Refit]]


def winners_seeds(refits: Mapping[str, Sequence[Refit]], losses: ValLosses) -> list[Refit]:
    """Every seed of the configuration that is best on val."""
    return list(next(iter(refits.values())))


SELECTIONS: Final[dict[str, Selection]] = {
    "best configurations": averaged_refits,
    "winner's seeds": winners_seeds,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=WORK / "runs", help="directory of finished runs")
    parser.add_argument("--json", type=Path, default=Path("averaging.json"))
    options = parser.parse_args()
    paths = sorted(path for path in options.runs.glob("*") if path.is_dir() and not path.is_symlink())
    if not paths:
        print(f"skipped: no runs in {options.runs}; run `python -m benchmarks.real` first", file=sys.stderr)
        return
    with ray_session():
        rows = [row for path in paths for row in measured(open_run(path))]
    rows += [
        result(f"mean nll: {name}", sum(values) / len(values), "nats")
        for name in SELECTIONS
        if (values := [row["value"] for row in rows if row["name"] == f"nll: {name}"])
    ]
    write_atomically(options.json, f"{json.dumps(rows, indent=2)}\n".encode())
    for row in rows:
        interval = "  {low:+.4f} to {high:+.4f}".format(**row) if "low" in row else ""
        print(f"{row.get('run', 'all'):22} {row['name']:28} {row['value']:9.4f} {row['unit']}{interval}")


def measured(run: Run) -> Iterator[dict[str, Any]]:
    """The test NLL of each selection, and the gain of averaging configurations."""
    found = {name: predicted(run, selection) for name, selection in SELECTIONS.items()}
    for name, predictions in found.items():
        yield {**result(f"nll: {name}", next_role(predictions)["nll"], "nats"), "run": run.name}
    own, other = found.values()
    if own_gain := gain(own, other)["nll"]:
        yield {**result("nll gain", own_gain["gain"], "nats"), "run": run.name, **own_gain}


def predicted(run: Run, selection: Selection) -> Predictions:
    """Predict the test split with the mean of the selected trainings, as finalize would export it."""
    snapshot = snapshot_of_run(run)
    division = snapshot.refit if run.experiment.finalize.refit_on == "known" else snapshot
    with patch.object(choose, "averaged_refits", selection):
        choice = choose.choose(run, snapshot, division, verbose=False, say=lambda line: None)
    test = open_test_split(division, run=run.name, purpose="benchmark of averaging").arrays
    return predict(build_model(choice.state), test, examples_of(test, "last"))


if __name__ == "__main__":
    main()
