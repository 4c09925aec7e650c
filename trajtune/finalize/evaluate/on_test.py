"""The one measurement on test: the exported graph, the research default, the baselines, the Bayes limit."""

from collections.abc import Mapping
from typing import Any

from trajtune.bundle.graph import Graph
from trajtune.dataset.encode import SplitData
from trajtune.dataset.report_sections import RECORDED
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import open_test_split, openings
from trajtune.finalize.evaluate.bootstrap import gain
from trajtune.finalize.evaluate.career_changers import LAG_LIMIT
from trajtune.finalize.evaluate.evaluate import (
    changers_and_everybody,
    evaluate_baseline,
    evaluate_model,
    with_reasons,
)
from trajtune.finalize.evaluate.example_careers import example_careers
from trajtune.finalize.evaluate.last_transitions import LastTransitions, last_transitions
from trajtune.finalize.evaluate.segments import by_segment
from trajtune.finalize.export.graph_predictions import predict_with_graph
from trajtune.model.baselines.baselines import BASELINES
from trajtune.model.baselines.bayes import bayes_predictions, has_bayes_optimum, optimum_metrics
from trajtune.model.metrics import known_hireability, reliability
from trajtune.model.network.average import CareerModel
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
    research: CareerModel | None,
    *,
    run: str,
    purpose: str,
    coverage: float,
) -> dict[str, Any]:
    """Open the test split, which the ledger records, and measure everything on it.

    Args:
        snapshot: The snapshot whose test split is opened.
        graph: The exported model.
        research: The trained research default; None if there is none to compare with.
        run: Entry in the ledger.
        purpose: Entry in the ledger.
        coverage: Nominal coverage of the tenure interval.

    Returns:
        The keys of ``metrics.json`` that come from test: ``test``, ``career_changers``, ``baselines``,
        ``research_default``, ``gains``, ``segments``, ``reliability``, ``bayes_limit``, ``examples``,
        ``test_openings``.
    """
    train = snapshot.read("train").arrays
    data = open_test_split(snapshot, run=run, purpose=purpose)
    transitions = last_transitions(data)
    examples = transitions.examples
    predicted = predict_with_graph(graph, data.arrays, examples)
    own = predicted.predictions
    others: dict[str, Predictions] = {
        name: fit_baseline(train, graph.vocab_size).predict(data.arrays, examples)
        for name, fit_baseline in BASELINES.items()
    }
    baselines = {name: evaluate_baseline(predictions, transitions) for name, predictions in others.items()}
    if research is not None:
        others = {"research_default": predict(research, data.arrays, examples), **others}
    return {
        "test": evaluate_model(own, predicted.calibrated_confidence),
        "career_changers": {**changers_and_everybody(own, transitions), "lag_limit": LAG_LIMIT},
        "baselines": baselines,
        "research_default": evaluate_baseline(others["research_default"], transitions) if research else None,
        "gains": {name: gain(own, predictions) for name, predictions in others.items()},
        "segments": by_segment(predicted, others, transitions, data.split_dates),
        "reliability": {
            "raw": reliability(own.confidence, own.correct),
            "calibrated": reliability(predicted.calibrated_confidence, own.correct),
            "hireability": reliability(*known_hireability(own)),
        },
        **_bayes_limit(snapshot, data, transitions, coverage),
        "examples": example_careers(graph, snapshot.encoder(), data, transitions, predicted),
        "test_openings": len(openings(snapshot)),
    }


def _bayes_limit(
    snapshot: Snapshot, data: SplitData, transitions: LastTransitions, coverage: float
) -> Mapping[str, Any]:
    if not has_bayes_optimum(snapshot.manifest):
        return {"bayes_limit": None, "bayes_limit_reason": "only the process of simulated careers is known"}
    best = bayes_predictions(snapshot.manifest, data, "test", snapshot.encoder(), coverage=coverage)
    changers = changers_and_everybody(best.predictions, transitions)
    return {"bayes_limit": {**with_reasons(optimum_metrics(best)), "career_changers": changers}}
