"""Compare the product with baselines and simple peers on seven sets of real careers and one simulated set.

Each set goes through prepare, the default search and finalize. The log-loss, top-1, top-5 and calibration
error on test are measured for the winner, the research default, every baseline and the peers of
`benchmarks.peers`. A peer is fitted on the training data of the winner and compared with the exported graph
on the same people (paired bootstrap). The calibration error of the winner is measured after calibration, that
of all others without. Sets that are already in the JSON file are not run again, so an interrupted run can be
continued. If the product refuses a set, the reason is printed. Snapshots, runs and bundles are written to
``real/``. Usage, from the project's root:

    python -m benchmarks.real [--quick] [--sets NAME ...] [--trials N] [--json FILE] [--markdown FILE]
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.ngram_peer import Fold, Moves
from benchmarks.peers import WITHOUT_BAR, peers
from benchmarks.real_sets import QUICK_SETS, SETS, WORK, experiment_of, skip_without_data
from benchmarks.rows import result
from trajtune.bundle.graph import Graph
from trajtune.bundle.manifest import METRICS, MODEL
from trajtune.cluster import ray_session
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.prepare import prepare
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import open_test_split
from trajtune.errors import TrajtuneError
from trajtune.finalizing.evaluate.bootstrap import gain
from trajtune.finalizing.export.graph_predictions import predict_with_graph
from trajtune.finalizing.run import finalize
from trajtune.model.metrics import expected_calibration_error, next_role
from trajtune.searching.run import start_search
from trajtune.storage.atomic import write_atomically

WINNER: Final = "winner"
TRAINED: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "as_selected": ("winner before the refit", ()),
    "research_default": ("research default", ("top1",)),
}
"""Other models in ``metrics.json``: their names, and their metrics with a bar."""
ALL: Final = "all sets"
TRIALS: Final = 16
MIN_SIGNIFICANT, MIN_GATES = 5, 6
"""Bars on the number of sets, out of eight, where the winner's NLL is significantly below that of the best
baseline, and where the gate passes."""
UNITS: Final = {"nll": "nats", "top1": "share", "top5": "share", "ece": "share"}
GATE: Final = "gate beats_baselines"
BEST_BASELINE: Final = "nll gain over the best baseline, low end"
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only two small sets, 2 trials and one seed")
    parser.add_argument("--sets", nargs="+", choices=SETS, help="sets to run; default: all")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument(
        "--json", type=Path, default=Path("real.json"), help="file of the results; its sets are kept"
    )
    parser.add_argument("--markdown", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    skip_without_data()
    rows: list[Row] = json.loads(options.json.read_text()) if options.json.is_file() else []
    trials = 2 if options.quick else options.trials
    sets = options.sets or (QUICK_SETS if options.quick else SETS)
    where = {"trials": trials, "quick": options.quick}
    with ray_session():
        for name in sets:
            own = {"set": name, **where}
            if not any(own.items() <= row.items() for row in rows):
                try:
                    rows += [{**own, **row} for row in measured(name, trials, quick=options.quick)]
                except TrajtuneError as error:
                    print(f"No result for {name}: {error}", file=sys.stderr, flush=True)
            rows = [row for row in rows if row["set"] != ALL or not where.items() <= row.items()]
            here = [row for row in rows if where.items() <= row.items()]
            rows += [{"set": ALL, **where, **row} for row in summary(here)]
            write_atomically(options.json, f"{json.dumps(rows, indent=2)}\n".encode())
            show(row for row in rows if own.items() <= row.items())
    here = [row for row in rows if where.items() <= row.items()]
    show(row for row in here if row["set"] == ALL)
    if options.markdown:
        options.markdown.write_text(markdown(here), encoding="utf-8")


def measured(name: str, trials: int, *, quick: bool) -> Iterator[Row]:
    """Run the pipeline once and yield the rows of a set."""
    fast: dict[str, dict[str, Any]] = {"finalize": {"top_k": 1, "seeds": 1}} if quick else {}
    experiment = experiment_of(name, WORK, search={"trials": trials}, **fast)
    snapshot = prepare(experiment)
    run = start_search(experiment, snapshot)
    bundle = finalize(run)
    metrics = json.loads((bundle / METRICS).read_text("utf-8"))
    yield from sizes(snapshot)
    yield from of_product(metrics)
    learned = snapshot.refit if metrics["refit_on"] == "known" else snapshot
    yield from of_peers(snapshot, learned, bundle, run.name)
    gate = metrics["gates"]["beats_baselines"]["passed"] is True
    yield result(GATE, float(gate), "passed")


def sizes(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the numbers of people and titles, and the share of targets outside the vocabulary."""
    for split, described in snapshot.manifest["splits"].items():
        yield result(f"people: {split}", described["careers"], "people")
    yield result("titles", snapshot.manifest["vocab_size"] - 1, "titles")
    share = snapshot.manifest["splits"]["test"]["unknown_targets"]
    yield result("test targets outside the vocabulary of train", share, "share")


def of_product(metrics: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the winner, the research default and the baselines from the ``metrics.json`` of a bundle."""
    test, gains = metrics["test"], metrics["gains"]
    own = {metric: test[metric if metric == "ece" else f"next_role_{metric}"] for metric in UNITS}
    yield from of_predictor(WINNER, own)
    for key, (name, bars) in TRAINED.items():
        if metrics[key]:
            yield from of_predictor(name, metrics[key])
            yield from of_gains(name, gains[key], bars=bars)
    for name, baseline in metrics["baselines"].items():
        yield from of_predictor(name, baseline)
        yield from of_gains(name, gains[name], bars=("nll", "top1"))
    best = min(metrics["baselines"], key=lambda name: metrics["baselines"][name]["nll"])
    yield result(BEST_BASELINE, gains[best]["nll"]["low"], "nats")


def of_peers(snapshot: Snapshot, learned: Snapshot, bundle: Path, run: str) -> Iterator[Row]:
    """Yield the metrics of the peers on test, and the gains of the exported graph on the same people.

    Args:
        snapshot: Snapshot that peers are tuned on.
        learned: Training data of the winner, with the test split in its vocabulary.
        bundle: Directory with the graph.
        run: Name of the run, for the ledger of the test split.
    """
    test = open_test_split(learned, run=run, purpose="benchmark").arrays
    examples = examples_of(test, "last")
    own = predict_with_graph(Graph(bundle / MODEL), test, examples).predictions
    val = snapshot.read("val").arrays
    tuning = Moves(val, examples_of(val, "last"), snapshot.encoder().vocab_size)
    asked = Moves(test, examples, learned.encoder().vocab_size)
    found = peers(Fold(snapshot.read("train").arrays, tuning), Fold(learned.read("train").arrays, asked))
    for name, peer in found.items():
        scores = next_role(peer.predictions)
        ece = expected_calibration_error(peer.predictions.confidence, peer.predictions.correct)
        rows = of_predictor(name, {**scores, "ece": ece})
        yield from ({**row, "settings": peer.settings} for row in rows)
        bars = () if name == WITHOUT_BAR else ("nll", "top1")
        yield from of_gains(name, gain(own, peer.predictions), bars=bars)


def of_predictor(name: str, metrics: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the metrics of a predictor on test, except those that were not measured."""
    for metric, unit in UNITS.items():
        if metrics.get(metric) is not None:
            yield {**result(f"{metric}: {name}", metrics[metric], unit), "predictor": name, "metric": metric}


def of_gains(name: str, gains: Mapping[str, Any], *, bars: tuple[str, ...]) -> Iterator[Row]:
    """Yield the winner's gains over a predictor.

    The winner's NLL must not be higher, and its top-1 accuracy must not be significantly lower.
    """
    for metric in ("nll", "top1"):
        if found := gains[metric]:
            value = found["gain"] if metric == "nll" else found["high"]
            title = "gain" if metric == "nll" else "gain, high end,"
            least = 0.0 if metric in bars else None
            row = result(f"{metric} {title} over {name}", value, UNITS[metric], least=least)
            yield {**row, "predictor": name, "metric": f"{metric}_gain", **found}


def summary(rows: list[Row]) -> Iterator[Row]:
    """Yield the bars over all sets; fewer sets are counted without a bar."""
    found = {row["set"] for row in rows if row["set"] != ALL}
    is_complete = found == set(SETS)

    def count(predicate: Callable[[Row], bool], name: str) -> int:
        return sum(predicate(row) for row in rows if row["name"] == name)

    least = MIN_SIGNIFICANT if is_complete else None
    yield result("sets", len(found), "sets")
    significant = count(lambda row: row["value"] > 0, BEST_BASELINE)
    yield result("sets with a significant nll gain over the best baseline", significant, "sets", least=least)
    least = MIN_GATES if is_complete else None
    passed = count(lambda row: row["value"] == 1, GATE)
    yield result("sets that pass the gate beats_baselines", passed, "sets", least=least)
    missed = [row for row in rows if row["set"] != ALL and row["passed"] is False]
    yield result("comparisons missed", len(missed), "bars", most=0)


def show(rows: Iterable[Row]) -> None:
    for row in rows:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['set']:20} {row['name']:58} {row['value']:10.4f} {row['unit']}{bar}", flush=True)


def markdown(rows: list[Row]) -> str:
    """Return a table for each set and a list over all sets."""
    lines: list[str] = []
    for name in dict.fromkeys(row["set"] for row in rows if row["set"] != ALL):
        own = [row for row in rows if row["set"] == name]
        by = {(row["predictor"], row["metric"]): row for row in own if "predictor" in row}
        others = [f"{row['name']} {row['value']:g}" for row in own if "predictor" not in row]
        lines += [f"**{name}**: {'; '.join(others)}", ""]
        lines += ["| | NLL | top-1 | top-5 | ECE | NLL gain of the winner | top-1 gain |", "|---" * 7 + "|"]
        for predictor in dict.fromkeys(predictor for predictor, _ in by):
            cells = [
                f"{by[predictor, metric]['value']:.3f}" if (predictor, metric) in by else ""
                for metric in UNITS
            ]
            gains = [
                "{gain:+.3f} ({low:+.3f} to {high:+.3f})".format(**row) if row else ""
                for row in (by.get((predictor, f"{metric}_gain")) for metric in ("nll", "top1"))
            ]
            lines.append(f"| {predictor} | {' | '.join([*cells, *gains])} |")
        lines.append("")
    lines += [
        f"- {row['name']}: {row['value']:g}" + ("" if row["passed"] is None else f" (bar {row['bar']:g})")
        for row in rows
        if row["set"] == ALL
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
