"""Two runs, or two bundles, side by side: what differs in them, and which is better by how much.

The test split is not opened: bundles hold what their models said of each person of test.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from trajtune.bundle.bundle import Bundle
from trajtune.bundle.manifest import MANIFEST, METRICS, check_file, read_manifest
from trajtune.bundle.people import read_test_people
from trajtune.errors import BundleError, RunError
from trajtune.experiment.objective import DIRECTIONS
from trajtune.finalizing.evaluate.bootstrap import mean_gain
from trajtune.finalizing.report.comparison import Comparison, Row
from trajtune.searching.runs.directory import Run, open_run
from trajtune.searching.show.status import status_of

_TEST: Final = {
    "next_role_nll": "nll",
    "next_role_top1": "top1",
    "next_role_top5": "top5",
    "next_role_mrr": "mrr",
    "ece": None,
    "tenure_mae_months": None,
    "tenure_coverage": None,
    "hireability_auc": None,
}
"""Metrics of test that are shown, with their names among the scores of people, if they have one."""

_MADE_BY: Final = ("split", "data", "vocabulary", "search", "training")
"""Sections of an experiment whose differences are shown."""


@dataclass(frozen=True)
class _Opened:
    """A bundle's directory with what it says of itself."""

    path: Path
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]


def compare(first: Run | Bundle | Path | str, second: Run | Bundle | Path | str) -> Comparison:
    """Compare two runs by their best trials on val, or two bundles by what finalize measured on test.

    Args:
        first: A run or a bundle, or its name or path.
        second: Another one of the same kind.

    Returns:
        The comparison: params and settings that differ, metrics, and for bundles of one snapshot the gain of
        the second over the first with its 95 % interval, by the paired bootstrap over people.

    Raises:
        RunError: If one is a run and the other a bundle, one is neither, or a run has no result yet.
        BundleError: If a bundle is incomplete or altered.
    """
    a, b = _opened(first), _opened(second)
    if isinstance(a, Run) and isinstance(b, Run):
        return _of_runs(a, b)
    if isinstance(a, _Opened) and isinstance(b, _Opened):
        return _of_bundles(a, b)
    kinds = ["a run" if isinstance(each, Run) else "a bundle" for each in (a, b)]
    raise RunError(
        f"Two runs or two bundles can be compared, but {a.path} is {kinds[0]} and {b.path} is {kinds[1]}. "
        "Give two of a kind."
    )


def _opened(given: Run | Bundle | Path | str) -> Run | _Opened:
    if isinstance(given, Run):
        return given
    path = given.path if isinstance(given, Bundle) else Path(given)
    if (path / MANIFEST).is_file() and (path / METRICS).is_file():
        manifest = read_manifest(path)
        check_file(path, METRICS, manifest)
        return _Opened(path, manifest, json.loads((path / METRICS).read_text("utf-8")))
    try:
        return open_run(str(given))
    except RunError as error:
        if not path.exists():
            raise
        raise RunError(
            f"{path} is neither a run nor a bundle. Give what `trajtune search` or `finalize` printed."
        ) from error


def _of_runs(a: Run, b: Run) -> Comparison:
    states = [status_of(run) for run in (a, b)]
    for run, state in zip((a, b), states, strict=True):
        if state["best"] is None:
            raise RunError(
                f"The run {run.name} has no finished trial yet. Go on with "
                f"`trajtune search --resume {run.reference}`."
            )
    best_a, best_b = (state["best"] for state in states)
    same = a.snapshot_id == b.snapshot_id
    made_a, made_b = (run.experiment.model_dump(mode="json", include=set(_MADE_BY)) for run in (a, b))
    return Comparison(
        "run",
        (a.name, b.name),
        (a.snapshot_id, b.snapshot_id),
        params=_differing(best_a["params"], best_b["params"]),
        settings=[
            Row("trials", a.requested, b.requested),
            Row("best trial", best_a["number"], best_b["number"]),
            *_differing(made_a, made_b),
        ],
        val=[Row(name, best_a["metrics"].get(name), best_b["metrics"].get(name)) for name in DIRECTIONS],
        reason=None if same else "The runs searched on different snapshots, so their val splits differ.",
    )


def _of_bundles(a: _Opened, b: _Opened) -> Comparison:
    gains, reason = _gains(a, b)
    val_a, val_b = _on_val(a), _on_val(b)
    test_a, test_b = a.metrics["test"], b.metrics["test"]
    return Comparison(
        "bundle",
        (str(a.path), str(b.path)),
        (a.manifest["snapshot"], b.manifest["snapshot"]),
        params=_differing(a.metrics["params"], b.metrics["params"]),
        settings=_differing(_made(a), _made(b)),
        val=[Row(name, val_a.get(name), val_b.get(name)) for name in {**val_a, **val_b}],
        test=[
            Row(name, test_a.get(name), test_b.get(name), gains.get(score or ""))
            for name, score in _TEST.items()
        ],
        reason=reason,
    )


def _gains(a: _Opened, b: _Opened) -> tuple[Mapping[str, Mapping[str, float] | None], str | None]:
    """By score, how much better the second is than the first, with intervals; or why that is not known."""
    if a.manifest["snapshot"] != b.manifest["snapshot"]:
        return {}, "The bundles are of different snapshots, so their test splits differ."
    first, second = (read_test_people(each.path, each.manifest) for each in (a, b))
    if first is None or second is None:
        lacking = a if first is None else b
        return {}, (
            f"{lacking.path} was made by an earlier trajtune and holds no results by person, so there are no "
            "intervals. Finalize its run again, with another --out."
        )
    if len(first.rank) != len(second.rank):
        raise BundleError(
            f"Bundles of one snapshot must have the same test people, but have {len(first.rank)} and "
            f"{len(second.rank)}. Finalize both again."
        )
    scores, others = first.scores(), second.scores()
    gained = {name: others[name] - scores[name] for name in scores}
    gained["nll"] = -gained["nll"]
    return {name: mean_gain(np.stack([of_people])) for name, of_people in gained.items()}, None


def _made(bundle: _Opened) -> dict[str, Any]:
    """How a bundle was made, by the words that a table shows."""
    metrics = bundle.metrics
    return {
        "run": bundle.manifest["run"],
        "trained on": bundle.manifest["refit_on"],
        "winner": metrics["winner"]["name"],
        "networks": len(metrics["winner"].get("networks", [None])),
        "share of ngram": metrics.get("ngram_share", 0.0),
        "size in bytes": metrics["export"].get("num_bytes"),
        "gates passed": bundle.manifest["gates_passed"],
    }


def _on_val(bundle: _Opened) -> dict[str, float | None]:
    """What its winner was selected by: the mean over seeds, and the NLL of what was exported."""
    metrics = bundle.metrics
    chosen = metrics["selection"].get(metrics["winner"]["name"], {})
    found = {metrics["selection_metric"]: chosen.get("mean")}
    exported = chosen.get("as_exported")
    return found if exported is None else {**found, "val_next_role_nll as exported": exported}


def _differing(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> list[Row]:
    """A row for each value that differs, by its path with dots."""
    rows = []
    for key in {**a, **b}:
        left, right, name = a.get(key), b.get(key), f"{prefix}{key}"
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            rows += _differing(left, right, f"{name}.")
        elif left != right:
            rows.append(Row(name, left, right))
    return rows
