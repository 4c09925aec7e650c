"""Measure a bundle on the moves that it has not seen: accuracy, calibration, drift, and its gates again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.bundle.manifest import METRICS, check_file
from trajtune.careers.schema import LoadedCareers
from trajtune.dataset.encode import SplitData
from trajtune.errors import BundleError, GateError
from trajtune.experiment.gate_settings import GateSettings
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.finalizing.evaluate import decide
from trajtune.finalizing.evaluate.bootstrap import gain
from trajtune.finalizing.evaluate.decide import FAILED
from trajtune.finalizing.evaluate.evaluate import evaluate_model
from trajtune.finalizing.evaluate.gates import (
    RULES,
    Nominal,
    failed,
    gates_of_outcomes,
    gates_of_predictions,
    undecided,
)
from trajtune.finalizing.evaluate.last_transitions import last_transitions, with_outcome_transitions
from trajtune.finalizing.evaluate.on_test import changers_and_lag, gains_in_outcomes, with_graph_outcomes
from trajtune.finalizing.evaluate.title_sets import evaluate_sets
from trajtune.finalizing.export.graph_predictions import predict_with_graph
from trajtune.model.baselines.baselines import fit_baselines
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.predict import predict_split
from trajtune.model.predictions import SplitPredictions
from trajtune.model.threads import one_thread
from trajtune.monitoring.drift import drift_since
from trajtune.monitoring.figures import figures
from trajtune.monitoring.fresh_moves import careers_before, moves_since, training_cutoff
from trajtune.page.format import listed, words

ENOUGH_OF_TRAINING: Final = 0.5
"""Share of the careers that the bundle was trained on that the source must still hold for the baselines."""


@dataclass(frozen=True)
class Monitored:
    """A bundle to monitor, with its metrics and the source of new careers.

    Attributes:
        bundle: The open bundle.
        metrics: Content of its ``metrics.json``.
        experiment: Experiment with the source of the new careers and the settings to read them.
        gates: Limits of its gates.
    """

    bundle: Bundle
    metrics: dict[str, Any]
    experiment: Experiment
    gates: GateSettings

    @property
    def since(self) -> date:
        """Last day of the bundle's data."""
        return date.fromisoformat(self.metrics["as_of"])

    @property
    def nominal(self) -> Nominal:
        """Nominal coverages of the bundle."""
        calibration = self.metrics["calibration"]
        return Nominal(calibration["tenure_nominal_coverage"], calibration.get("set_nominal_coverage"))


def open_monitored(path: Path, experiment: Experiment | None) -> Monitored:
    """Open a bundle for monitoring.

    Args:
        path: The bundle's directory.
        experiment: Experiment with the source; None: the bundle's own. The limits are always those of the
            bundle's own experiment, if it has one.

    Raises:
        BundleError: If there is no bundle, or it is of an earlier version and no experiment is given.
    """
    bundle = load_bundle(path)
    check_file(path, METRICS, bundle.manifest)
    metrics = json.loads((path / METRICS).read_text("utf-8"))
    if any("result" not in gate for gate in metrics["gates"].values()):
        raise BundleError(f"{path} is of an earlier trajtune, whose gates had less. Finalize the run again.")
    kept = bundle.manifest.get("experiment")
    own = None if kept is None else validate(Experiment, kept, f"the experiment in {path}")
    used = experiment or own
    if used is None:
        raise BundleError(f"{path} keeps no experiment. Give one: `trajtune monitor {path} EXPERIMENT`.")
    return Monitored(bundle, metrics, used, (own or used).finalize.gates)


@one_thread()
def monitor(monitored: Monitored, loaded: LoadedCareers) -> dict[str, Any]:
    """Measure a bundle on the moves that it has not seen.

    Args:
        monitored: The bundle.
        loaded: The careers that its source has now.

    Returns:
        ``bundle``, ``since`` (the last day that it knew), ``as_of`` (of the source), ``people`` who moved
        since, ``verdict`` and ``no_longer_hold``: gates that fail and did not fail on test. If somebody moved
        also ``figures``, ``drift`` (None with a ``drift_reason``) and ``gates``, as in ``metrics.json``, with
        ``on_test``, the result there; ``gates_reason`` if some could not be decided.
    """
    bundle = monitored.bundle
    data = monitored.experiment.data
    about = {
        "bundle": str(bundle.path),
        "since": monitored.since.isoformat(),
        "as_of": loaded.as_of.isoformat(),
    }
    moved = moves_since(loaded, bundle.encoder, data, monitored.since)
    if moved is None:
        return {**about, "people": 0, "no_longer_hold": [], "verdict": _nothing_newer(monitored, loaded)}
    train = careers_before(loaded, bundle.encoder, data, training_cutoff(monitored.metrics))
    measured = _measured(monitored, moved, train)
    gates = measured["gates"]
    newly = [name for name in failed(gates) if gates[name]["on_test"] != FAILED]
    verdict = _verdict(moved.arrays.num_careers, newly, gates, monitored.since)
    return {
        **about,
        "people": moved.arrays.num_careers,
        **measured,
        "no_longer_hold": newly,
        "verdict": verdict,
    }


def demand_gates_hold(result: Mapping[str, Any]) -> None:
    """Raise if a gate no longer holds.

    Raises:
        GateError: Names the gates.
    """
    if names := result["no_longer_hold"]:
        raise GateError(
            f"Gates of {result['bundle']} must hold on new moves, but {listed([words(n) for n in names])} no "
            "longer " + ("does" if len(names) == 1 else "do") + ". Search and finalize again."
        )


def _measured(monitored: Monitored, moved: SplitData, train: SplitData) -> dict[str, Any]:
    graph, metrics, limits = monitored.bundle.graph, monitored.metrics, monitored.gates
    transitions = last_transitions(moved)
    predicted = predict_with_graph(graph, moved.arrays, transitions.examples)
    own = with_graph_outcomes(predicted, graph, moved)
    baselines, reason = _baselines(monitored, moved, train)
    both = with_outcome_transitions(moved, transitions)
    test = evaluate_model(own, predicted.calibrated_confidence, limits.calibration_error)
    changers = changers_and_lag(own.moves, baselines, transitions, limits.staying)
    sets = evaluate_sets(predicted, {})
    decided = gates_of_predictions(test, changers, sets, limits, monitored.nominal)
    if baselines:
        outcomes = gains_in_outcomes(own, baselines, both, monitored.nominal.tenure)
        gains = {name: gain(own.moves, p.moves) for name, p in baselines.items()}
        decided |= gates_of_outcomes(test, outcomes, limits)
        decided["beats_baselines"] = decide.beats(
            gains, test["num_examples"], limits.nll_gain, "NLL is below that of every baseline", own=None
        )
    reference = metrics.get("reference")
    return {
        "figures": figures(test, metrics, predicted, own, (both[0].examples.start, both[1].examples.start)),
        "drift": None if reference is None else drift_since(reference, transitions),
        **({"drift_reason": "the bundle keeps no counts to compare with"} if reference is None else {}),
        "gates": {
            name: {**decided[name], "on_test": metrics["gates"][name]["result"]}
            for name in RULES
            if name in decided and name in metrics["gates"]
        },
        **({"gates_reason": reason} if reason else {}),
    }


def _baselines(
    monitored: Monitored, moved: SplitData, train: SplitData
) -> tuple[dict[str, SplitPredictions], str | None]:
    """Return predictions of baselines fitted on what the bundle was trained on; or why there are none."""
    metrics, graph = monitored.metrics, monitored.bundle.graph
    trained_on, num = metrics["data"]["splits"]["train"]["careers"], train.arrays.num_careers
    if num < ENOUGH_OF_TRAINING * trained_on:
        return {}, (
            f"no comparison with baselines: the source holds {num:,} of the {trained_on:,} careers that the "
            "bundle was trained on"
        )
    choice = NGramChoice.from_dict(metrics["ngram"])
    fitted = fit_baselines(train.arrays, graph.vocab_size, choice)
    return {
        name: predict_split(partial(baseline.predict, moved.arrays), moved.arrays)
        for name, baseline in fitted.items()
    }, None


def _nothing_newer(monitored: Monitored, loaded: LoadedCareers) -> str:
    fixed = monitored.experiment.data.as_of
    hint = (
        f" The experiment says `data.as_of: {fixed}`; give one that is newer, or says auto."
        if isinstance(fixed, date) and fixed <= monitored.since
        else ""
    )
    return (
        f"Nothing newer is known: no role began after {monitored.since}, the last day that the bundle knew, "
        f"until {loaded.as_of}, the last day of the source.{hint}"
    )


def _verdict(people: int, newly: list[str], gates: Mapping[str, Mapping[str, Any]], since: date) -> str:
    names = listed([words(name) for name in newly]) if newly else ""
    still = [words(name) for name in failed(gates) if name not in newly]
    few = len(undecided(gates))
    parts = [
        f"{names} no longer hold{'s' if len(newly) == 1 else ''}"
        if newly
        else "no gate fails that held before",
        *([f"{listed(still)} fail{'s' if len(still) == 1 else ''} as on test"] if still else []),
        *([f"{few} of {len(gates)} gates have too few people"] if few else []),
    ]
    return f"{people:,} people moved after {since}: {'; '.join(parts)}."
