import numpy as np
import pytest
import torch

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.finalizing.calibrate.comparison import compare_calibrations, cross_fitted, folds_of
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.predict import predict


def test_no_confidence_comes_from_a_curve_fitted_on_it() -> None:
    # Only an example in fold 2 is right; a curve fitted on it would be higher there.
    confidence = np.linspace(0.1, 0.9, 100)
    fold = folds_of(100)
    correct = np.zeros(100, bool)
    correct[np.flatnonzero(fold == 2)[-1]] = True
    found = cross_fitted(confidence, correct)
    assert found is not None
    without = cross_fitted(confidence, np.zeros(100, bool))
    assert without is not None
    np.testing.assert_array_equal(found[fold == 2], without[fold == 2])
    assert (found[fold != 2] > 0).any()


def test_cross_fitting_shows_that_calibration_does_not_improve_pure_noise() -> None:
    random = np.random.default_rng(1)
    confidence, correct = np.full(1000, 0.5) + random.random(1000) / 1e3, random.random(1000) < 0.3
    found = cross_fitted(confidence, correct)
    assert found is not None
    assert found.mean() == pytest.approx(0.3, abs=0.05)
    assert cross_fitted(confidence[:30], correct[:30]) is None


def test_temperature_scaling_finds_the_temperature_of_an_overconfident_network() -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    model = CareerTrajectoryLSTM(12, 8, 8, 1).eval()
    num = 3000
    ids = random.integers(1, 12, 2 * num).astype(np.int32)
    offsets = np.arange(0, 2 * num + 1, 2)
    known = np.ones(2 * num, np.float32)
    with torch.no_grad():
        logits = model(torch.from_numpy(ids[::2].copy())[:, None].long(), torch.ones(num, dtype=torch.long))[
            0
        ]
        ids[1::2] = torch.distributions.Categorical(logits=logits * 2).sample().numpy()
        last = model.next_role_head[3]
        last.weight *= 4  # the truth is twice as sharp as the original network
        last.bias[1:] *= 4
    arrays = CareerArrays(ids, offsets, known, known, known, ids, ids > 0)
    examples = examples_of(arrays, "last")
    predicted = predict(model, arrays, examples)
    found = compare_calibrations(model, arrays, examples, predicted.confidence, predicted.correct)
    assert found["temperature"]["temperature"] == pytest.approx(2.0, rel=0.25)
    assert found["temperature"]["ece"] < found["none"]["ece"]
    assert found["best"] in ("temperature", "isotonic")
