import numpy as np
import pytest
import torch

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.finalize.calibrate.comparison import compare_calibrations, cross_fitted, folds_of, reliability
from trajtune.finalize.evaluate.bootstrap import RESAMPLES, gain, interval, per_person
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.predict import predict
from trajtune.model.predictions import Predictions


def predictions(rank: list[int], nll: list[float]) -> Predictions:
    size = len(rank)
    unknown = np.full(size, np.nan, np.float32)
    return Predictions(
        target=np.array(rank, np.int32),
        rank=np.array(rank, np.int32),
        nll=np.array(nll),
        top_ids=np.ones((size, 1), np.int32),
        confidence=unknown,
        tenure=np.full((size, 2), np.nan, np.float32),
        hireability=unknown,
        tenure_months=unknown,
        tenure_at_least=unknown,
        hireable=unknown,
    )


def test_bins_hold_what_a_plain_loop_finds() -> None:
    random = np.random.default_rng(0)
    confidence, correct = random.random(500), random.random(500) < 0.5
    rows = reliability(confidence, correct)
    assert sum(row["num"] for row in rows) == 500
    for row in rows:
        inside = (confidence > row["low"]) & (confidence <= row["high"])
        assert row["num"] == inside.sum()
        assert row["confidence"] == pytest.approx(confidence[inside].mean())
        assert row["accuracy"] == pytest.approx(correct[inside].mean())


def test_empty_bins_are_left_out_and_zero_is_in_the_first() -> None:
    rows = reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert [(row["low"], row["num"]) for row in rows] == [(0.0, 1), (0.9, 1)]


def test_no_confidence_comes_from_a_curve_that_saw_it() -> None:
    # One example a fold is the only right one; a curve that saw it would say more than 0 there.
    confidence = np.linspace(0.1, 0.9, 100)
    fold = folds_of(100)
    correct = np.zeros(100, bool)
    correct[np.flatnonzero(fold == 2)[-1]] = True
    found = cross_fitted(confidence, correct)
    assert found is not None
    assert (found[fold == 2] == 0).all()
    assert (found[fold != 2] > 0).any()


def test_cross_fitting_shows_that_pure_noise_cannot_be_calibrated_better() -> None:
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
        last.weight *= 4  # the truth is twice as sharp as the network was; now it is four times as sharp
        last.bias[1:] *= 4
    arrays = CareerArrays(ids, offsets, known, known, known)
    examples = examples_of(arrays, "last")
    said = predict(model, arrays, examples)
    found = compare_calibrations(model, arrays, examples, said.confidence, said.correct)
    assert found["temperature"]["temperature"] == pytest.approx(2.0, rel=0.25)
    assert found["temperature"]["ece"] < found["none"]["ece"]
    assert found["best"] in ("temperature", "isotonic")


def test_the_interval_of_a_share_is_the_binomials() -> None:
    low, high = interval(np.array([1.0] * 300 + [0.0] * 700)) or (0.0, 0.0)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert (low, high) == (pytest.approx(0.3 - half, abs=0.004), pytest.approx(0.3 + half, abs=0.004))


def test_the_interval_of_many_distinct_values_is_the_normals() -> None:
    values = np.random.default_rng(0).normal(2, 3, 800)
    low, high = interval(values) or (0.0, 0.0)
    half = 1.96 * values.std() / np.sqrt(800)
    assert low == pytest.approx(values.mean() - half, abs=0.05)
    assert high == pytest.approx(values.mean() + half, abs=0.05)
    assert RESAMPLES >= 1000


def test_the_interval_depends_on_nobodys_place_and_leaves_the_undefined_out() -> None:
    values = np.random.default_rng(0).normal(size=200)
    shuffled = np.random.default_rng(1).permutation(values)
    assert interval(values) == interval(shuffled) == interval(np.append(values, np.nan))
    assert interval(np.array([np.nan])) is None


def test_gains_are_paired() -> None:
    ours = predictions([1, 2, 0, 1] * 50, [0.1, 0.5, np.nan, 0.3] * 50)
    theirs = predictions([2, 2, 0, 1] * 50, [0.9, 0.5, np.nan, 0.3] * 50)
    found = gain(ours, theirs)
    assert found["top1"]["gain"] == 0.25
    assert found["nll"]["gain"] == pytest.approx(0.8 / 3)
    assert found["top1"]["low"] > 0
    # Between predictors that agree on everybody nothing is uncertain, however noisy each one is.
    assert gain(ours, ours)["top1"] == {"gain": 0.0, "low": 0.0, "high": 0.0}


def test_an_unknown_target_is_a_miss_in_every_share() -> None:
    found = per_person(predictions([0, 1, 4], [np.nan, 0.1, 2.0]))
    assert found["top1"].tolist() == [0, 1, 0]
    assert found["top5"].tolist() == [0, 1, 1]
    assert found["mrr"].tolist() == [0, 1, 0.25]
