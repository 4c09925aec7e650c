"""Measures on test, once: the exported graph, the models that it is compared with, and the Bayes limit.

The graph is compared with the winner as selected (before training on everything known), the research default
and the baselines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from trajtune.bundle.graph import Graph
from trajtune.dataset.encode import SplitData, with_vocabulary
from trajtune.dataset.report_sections import RECORDED
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import open_test_split, openings
from trajtune.dataset.titles import TitleEncoder
from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalizing.evaluate.bootstrap import gain
from trajtune.finalizing.evaluate.evaluate import (
    changers_and_everybody,
    evaluate_baseline,
    evaluate_model,
    mean_over_seeds,
    with_reasons,
)
from trajtune.finalizing.evaluate.example_careers import example_careers
from trajtune.finalizing.evaluate.lag import movers_gain, predicts_too_much_staying, worse_for_movers
from trajtune.finalizing.evaluate.last_transitions import (
    Transitions,
    last_transitions,
    reference_counts,
    with_outcome_transitions,
)
from trajtune.finalizing.evaluate.outcome_gains import auc_gain, tenure_score_gain
from trajtune.finalizing.evaluate.segments import by_segment, segment_labels
from trajtune.finalizing.evaluate.title_sets import evaluate_sets
from trajtune.finalizing.export.graph_predictions import GraphPredictions, predict_with_graph
from trajtune.model.baselines.baselines import fit_baselines
from trajtune.model.baselines.bayes import bayes_predictions, has_bayes_optimum, optimum_metrics
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.metrics import Metrics, known_hireability, next_role, reliability
from trajtune.model.network.average import CareerModel
from trajtune.model.predict import predict, predict_split, with_outcomes
from trajtune.model.predictions import Predictions, SplitPredictions

ONLY_OF_LAST_MOVES: Final = (
    "the limit is known only for last moves, but with `split.by: move` tenures are measured on ended roles"
)


@dataclass(frozen=True)
class References:
    """Trained models that the exported model is compared with.

    Attributes:
        models: Models of each seed, by name: ``as_selected`` and ``research_default``, both optional.
        encoder: The vocabulary of all these models.
    """

    models: Mapping[str, Sequence[CareerModel]]
    encoder: TitleEncoder


def origin(snapshot: Snapshot, division: Snapshot, run: str) -> dict[str, Any]:
    """Return the keys of ``metrics.json`` about the run and its data.

    Args:
        snapshot: The snapshot of the search.
        division: Data that the exported model was trained on: the snapshot, or its `Snapshot.refit`.
        run: Name of the run.
    """
    manifest = snapshot.manifest
    cutoffs = dict(manifest["cutoffs"])
    if division != snapshot:
        cutoffs["calibration"] = division.manifest["cutoffs"]["train"]
    return {
        "source": manifest["source"]["kind"],
        "snapshot": snapshot.id,
        "run": run,
        "refit_on": "train" if division == snapshot else "known",
        "cutoffs": cutoffs,
        "as_of": manifest["as_of"],
        "hireability_label": manifest["hireability"],
        "data": {**{name: manifest[name] for name in RECORDED}, "titles": division.titles},
    }


def measure_on_test(
    snapshot: Snapshot,
    graph: Graph,
    references: References,
    *,
    ngram_choice: NGramChoice,
    run: str,
    purpose: str,
    settings: FinalizeSettings,
    keep: Callable[[Predictions], None] | None = None,
) -> dict[str, Any]:
    """Open the test split, which the ledger records, and measure everything on it.

    Args:
        snapshot: Data that the model was trained on; the baselines are fitted on its train, and its test
            split is opened.
        graph: The exported model.
        references: Trained models to compare with.
        ngram_choice: Settings that the baseline `ngram` chose on val.
        run: Name of the run, for the ledger.
        purpose: Purpose of the measurement, for the ledger.
        settings: Settings with the nominal coverage of the tenure interval and the limits of the gates.
        keep: Called with the graph's predictions of each person's last move.

    Returns:
        The keys of ``metrics.json`` about test: ``test``, ``career_changers``, ``baselines``,
        ``ngram`` (its choice), ``as_selected`` and ``research_default`` (None if not given; the mean over
        seeds), ``gains``, ``outcome_gains`` (over baselines), ``segments``, ``title_sets``, ``reliability``,
        ``bayes_limit``, ``reference`` (`reference_counts`), ``examples``, ``test_openings``.
    """
    train = snapshot.arrays("train")
    data = open_test_split(snapshot, run=run, purpose=purpose)
    transitions = last_transitions(data)
    predicted = predict_with_graph(graph, data.arrays, transitions.examples)
    own, on_test = predicted.predictions, with_graph_outcomes(predicted, graph, data)
    if keep is not None:
        keep(own)
    by_baseline = {
        name: predict_split(partial(baseline.predict, data.arrays), data.arrays)
        for name, baseline in fit_baselines(train, graph.vocab_size, ngram_choice).items()
    }
    baselines = {name: evaluate_baseline(p, transitions) for name, p in by_baseline.items()}
    trained, trained_metrics = _references(references, data, transitions)
    if "as_selected" in trained:
        trained_metrics["as_selected"]["both_know"] = _both_know(own, trained["as_selected"][0])
    others = {**trained, **{name: [p.moves] for name, p in by_baseline.items()}}
    both = with_outcome_transitions(data, transitions)
    return {
        "test": evaluate_model(on_test, predicted.calibrated_confidence, settings.gates.calibration_error),
        "career_changers": changers_and_lag(own, by_baseline, transitions, settings.gates.staying),
        "baselines": baselines,
        "ngram": ngram_choice.to_dict(),
        "as_selected": trained_metrics.get("as_selected"),
        "research_default": trained_metrics.get("research_default"),
        "gains": {name: gain(own, *of_seeds) for name, of_seeds in others.items()},
        "outcome_gains": gains_in_outcomes(on_test, by_baseline, both, settings.tenure_coverage),
        "segments": by_segment(predicted, on_test.outcomes, others, both, data.split_dates),
        "title_sets": evaluate_sets(predicted, segment_labels(transitions, data.split_dates)),
        "reliability": {
            "raw": reliability(own.confidence, own.correct),
            "calibrated": reliability(predicted.calibrated_confidence, own.correct),
            "hireability": reliability(*known_hireability(on_test.labelled)),
        },
        **_bayes_limit(snapshot, data, transitions, settings.tenure_coverage),
        "reference": reference_counts(transitions),
        "examples": example_careers(graph, snapshot.encoder(), data, transitions, predicted),
        "test_openings": len(openings(snapshot)),
    }


def changers_and_lag(
    own: Predictions,
    by_baseline: Mapping[str, SplitPredictions],
    transitions: Transitions,
    most_staying: float,
) -> dict[str, Any]:
    """Return `changers_and_everybody` of the graph, and whether it lags one step by either criterion."""
    found = changers_and_everybody(own, transitions)
    gains = {name: movers_gain(own, p.moves, transitions.moved) for name, p in by_baseline.items()}
    too_much = predicts_too_much_staying(found["staying"], most_staying)
    lag = True if worse_for_movers(gains) else too_much
    return {**found, "one_step_lag_detected": lag, "movers_gains": gains}


def gains_in_outcomes(
    own: SplitPredictions,
    by_baseline: Mapping[str, SplitPredictions],
    transitions: tuple[Transitions, Transitions],
    coverage: float,
) -> dict[str, Any]:
    """Return the gains of hireability and of the tenure interval over each baseline."""
    last, outcomes = (each.examples.start for each in transitions)
    labelled = last if own.labelled is own.moves else outcomes
    return {
        "hireability_auc": {
            name: auc_gain(own.labelled, p.labelled, labelled) for name, p in by_baseline.items()
        },
        "tenure_score": {
            name: tenure_score_gain(own.outcomes, p.outcomes, outcomes, coverage)
            for name, p in by_baseline.items()
        },
    }


def _references(
    references: References, data: SplitData, transitions: Transitions
) -> tuple[dict[str, list[Predictions]], dict[str, dict[str, Any]]]:
    """Return each reference's predictions of last moves, by seed, and its metrics, in its vocabulary."""
    seen = with_vocabulary(data, references.encoder).arrays
    same_people = replace(transitions, current_ids=seen.title_ids[transitions.examples.target - 1])
    predicted = {
        name: [predict_split(partial(predict, model, seen), seen) for model in models]
        for name, models in references.models.items()
    }
    metrics = {
        name: mean_over_seeds([evaluate_baseline(p, same_people) for p in of_seeds])
        for name, of_seeds in predicted.items()
    }
    return {name: [p.moves for p in of_seeds] for name, of_seeds in predicted.items()}, metrics


def with_graph_outcomes(moves: GraphPredictions, graph: Graph, data: SplitData) -> SplitPredictions:
    """Return the graph's predictions of the last moves and of the outcomes."""
    return with_outcomes(
        moves.predictions,
        lambda examples: predict_with_graph(graph, data.arrays, examples).predictions,
        data.arrays,
    )


def _both_know(own: Predictions, selected: Predictions) -> dict[str, Any]:
    """Return the NLL of both models on next titles in both vocabularies; `gain` uses the same titles."""
    known = (own.rank > 0) & (selected.rank > 0)
    return {
        "num": int(known.sum()),
        "nll": next_role(own.take(known))["nll"],
        "as_selected_nll": next_role(selected.take(known))["nll"],
    }


def _bayes_limit(
    snapshot: Snapshot, data: SplitData, transitions: Transitions, coverage: float
) -> Mapping[str, Any]:
    if not has_bayes_optimum(snapshot.manifest):
        return {"bayes_limit": None, "bayes_limit_reason": "the limit is known only for simulated careers"}
    best = bayes_predictions(snapshot.manifest, data, "test", snapshot.encoder(), coverage=coverage)
    changers = changers_and_everybody(best.predictions, transitions)
    known = optimum_metrics(best)
    undefined = _undefined_by_move(snapshot.manifest, known)
    reasons = {f"{name}_reason": ONLY_OF_LAST_MOVES for name in undefined}
    metrics = {**with_reasons({**known, **undefined}), **reasons}
    return {"bayes_limit": {**metrics, "career_changers": changers}}


def _undefined_by_move(manifest: Mapping[str, Any], known: Metrics) -> dict[str, None]:
    """Return the limit's metrics that are measured on other examples than the model's (not last moves)."""
    settings = manifest["settings"]
    if settings["split"]["by"] != "move":
        return {}
    kinds = ["tenure"] if settings["data"]["hireable_key"] else ["tenure", "hireab"]
    return {name: None for name in known if any(kind in name for kind in kinds)}
