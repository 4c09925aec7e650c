"""Numbers of a window: corrections as in the graph, and gains over several windows by person."""

from typing import Any

import numpy as np
import pytest

from tests.monitoring.test_aging import predictions
from trajtune.bundle.graph import Graph
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.params import Params
from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalizing.build import calibrate
from trajtune.finalizing.calibrate.priors import Priors, priors_of
from trajtune.finalizing.export.graph_predictions import predict_with_graph
from trajtune.finalizing.export.to_onnx import export_to_onnx
from trajtune.model.checkpoint import new_model
from trajtune.model.network.title_words import words_of
from trajtune.model.predict import predict
from trajtune.model.predictions import SplitPredictions
from trajtune.monitoring.window import Measured, best_baseline, corrected, pooled_gain


def measured(people: list[str], own: list[float], other: list[float]) -> Measured:
    moves = predictions(np.array(own))
    confidence = np.full(len(own), 0.5)
    others = {"ngram": [predictions(np.array(other))]}
    return Measured(np.array(people), SplitPredictions(moves, moves), confidence, others)


def test_the_pooled_gain_is_the_mean_over_all_moves() -> None:
    windows = [measured(["a", "b"], [1.0, 2.0], [1.5, 2.5]), measured(["b"], [1.0], [2.0])]
    gain = pooled_gain(windows, "ngram", "nll")
    assert gain is not None
    assert gain["gain"] == pytest.approx((0.5 + 0.5 + 1.0) / 3)


def test_a_persons_windows_are_resampled_together() -> None:
    """The same move four times is worth no more than once."""
    random = np.random.default_rng(0)
    people = [f"p{number:03}" for number in range(200)]
    window = measured(people, list(random.normal(1, 0.5, 200)), list(random.normal(1.1, 0.5, 200)))
    once, often = (pooled_gain([window] * count, "ngram", "nll") for count in (1, 4))
    assert once is not None
    assert often is not None
    assert often["high"] - often["low"] == pytest.approx(once["high"] - once["low"], rel=0.02)


def test_next_titles_that_nobody_knows_give_no_gain_in_nats() -> None:
    window = measured(["a"], [np.nan], [np.nan])
    assert pooled_gain([window], "ngram", "nll") is None
    assert pooled_gain([window], "another", "nll") is None


def test_the_best_baseline_is_the_best_over_all_windows() -> None:
    def row(people: int, **nll: float) -> dict[str, Any]:
        return {"people": people, "others": {name: {"nll": value} for name, value in nll.items()}}

    rows = [row(10, markov=1.0, ngram=2.0), row(90, markov=3.0, ngram=2.5)]
    assert best_baseline(rows, ["markov", "ngram"]) == "ngram"


@pytest.mark.slow
@pytest.mark.parametrize("with_labels", [True, False])
def test_corrections_are_those_of_the_exported_graph(
    changing_snapshot: Snapshot, tmp_path: Any, with_labels: bool
) -> None:
    val, encoder = changing_snapshot.read("val"), changing_snapshot.encoder()
    params = Params(hidden_dim=8, num_layers=1)
    model = new_model(params, encoder.vocab_size, words_of(encoder)).eval()
    known = priors_of(changing_snapshot.read("train").arrays, params)
    priors = known if with_labels else Priors(known.tenure_months, known.hireability, 0, 0)
    calibrated = calibrate(model, val, FinalizeSettings(), "val", priors)
    export_to_onnx(calibrated.module, tmp_path / "model.onnx")
    examples = examples_of(val.arrays, "last")
    by_graph = predict_with_graph(Graph(tmp_path / "model.onnx"), val.arrays, examples)
    raw = predict(model, val.arrays, examples)
    own = corrected(raw, calibrated.corrections)
    np.testing.assert_allclose(own.tenure, by_graph.predictions.tenure, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(own.hireability, by_graph.predictions.hireability, atol=1e-4)
    confidence = calibrated.corrections.confidence(raw.confidence)
    np.testing.assert_allclose(confidence, by_graph.calibrated_confidence, atol=1e-3)
