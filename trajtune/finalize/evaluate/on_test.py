"""The one look at the test split: the exported graph beside the research default, baselines and limit."""

from collections.abc import Mapping
from typing import Any

from trajtune.bundle.bundle import Graph
from trajtune.dataset.encode import SplitData
from trajtune.dataset.report_sections import RECORDED
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import open_test_split, openings
from trajtune.finalize.calibrate.comparison import reliability
from trajtune.finalize.evaluate.bootstrap import gain
from trajtune.finalize.evaluate.career_changers import LAG_LIMIT
from trajtune.finalize.evaluate.evaluate import (
    changers_and_everybody,
    evaluate_baseline,
    evaluate_model,
    known_hireability,
    with_reasons,
)
from trajtune.finalize.evaluate.examples import examples
from trajtune.finalize.evaluate.last_transitions import Moves, moves_of
from trajtune.finalize.evaluate.segments import by_segment
from trajtune.finalize.export.graph_predictions import replay
from trajtune.model.baselines.baselines import BASELINES
from trajtune.model.baselines.bayes import bayes_predictions, has_bayes_optimum, optimum_metrics
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.predict import predict
from trajtune.model.predictions import Predictions


def origin(snapshot: Snapshot, run: str) -> dict[str, Any]:
    """The keys of ``metrics.json`` that say what was measured, and on what."""
    manifest = snapshot.manifest
    return {
        "source": manifest["source"]["kind"],
        "snapshot": snapshot.id,
        "run": run,
        "cutoffs": manifest["cutoffs"],
        "as_of": manifest["as_of"],
        "hireability_label": manifest["hireability"],
        "data": {name: manifest[name] for name in RECORDED},
    }


def measure_on_test(
    snapshot: Snapshot,
    graph: Graph,
    research: CareerTrajectoryLSTM | None,
    *,
    run: str,
    purpose: str,
    coverage: float,
) -> dict[str, Any]:
    """Open test, which the ledger remembers, and measure everything on it.

    Args:
        snapshot: Whose test split.
        graph: The exported model.
        research: The research default, trained; None if there is none to compare with.
        run: For the ledger.
        purpose: For the ledger.
        coverage: Nominal coverage of the tenure interval.

    Returns:
        The keys of ``metrics.json`` that come from test: ``test``, ``career_changers``, ``baselines``,
        ``research_default``, ``gains``, ``segments``, ``reliability``, ``bayes_limit``, ``examples``,
        ``test_openings``.
    """
    train = snapshot.read("train").arrays
    data = open_test_split(snapshot, run=run, purpose=purpose)
    moves = moves_of(data)
    replayed = replay(graph, data.arrays, moves.examples)
    ours = replayed.predictions
    others: dict[str, Predictions] = {
        name: fitted(train, graph.vocab_size).predict(data.arrays, moves.examples)
        for name, fitted in BASELINES.items()
    }
    baselines = {name: evaluate_baseline(said, moves) for name, said in others.items()}
    if research is not None:
        others = {"research_default": predict(research, data.arrays, moves.examples), **others}
    return {
        "test": evaluate_model(ours, replayed.calibrated),
        "career_changers": {**changers_and_everybody(ours, moves), "lag_limit": LAG_LIMIT},
        "baselines": baselines,
        "research_default": evaluate_baseline(others["research_default"], moves) if research else None,
        "gains": {name: gain(ours, said) for name, said in others.items()},
        "segments": by_segment(replayed, others, moves, data.split_dates),
        "reliability": {
            "raw": reliability(ours.confidence, ours.correct),
            "calibrated": reliability(replayed.calibrated, ours.correct),
            "hireability": reliability(*known_hireability(ours)),
        },
        **_limit(snapshot, data, moves, coverage),
        "examples": examples(graph, snapshot.encoder(), data, moves, replayed),
        "test_openings": len(openings(snapshot)),
    }


def _limit(snapshot: Snapshot, data: SplitData, moves: Moves, coverage: float) -> Mapping[str, Any]:
    if not has_bayes_optimum(snapshot.manifest):
        return {"bayes_limit": None, "bayes_limit_reason": "only the process of simulated careers is known"}
    found = bayes_predictions(snapshot.manifest, data, "test", snapshot.encoder(), coverage=coverage)
    changers = changers_and_everybody(found.predictions, moves)
    return {"bayes_limit": {**with_reasons(optimum_metrics(found)), "career_changers": changers}}
