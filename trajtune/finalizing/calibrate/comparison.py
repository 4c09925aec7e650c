"""Compares calibrations on val by cross-fitting: isotonic regression, temperature scaling and none.

Cross-fitting calibrates each fold of val with a curve that was fitted on the other folds.
"""

# E examples, V titles, F folds

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.finalizing.calibrate.isotonic import fit_calibration
from trajtune.model.batches import Loader, prediction_batch_size
from trajtune.model.metrics import brier_score, calibration_metrics
from trajtune.model.network.average import CareerModel
from trajtune.searching.readiness import TOO_FEW

FOLDS: Final = 5
_MOST_LOGITS: Final = 2**24
"""Maximum number of val logits for fitting temperature scaling (64 MB)."""

_TEMPERATURES: Final = np.exp(np.linspace(np.log(0.25), np.log(4.0), 81))


def folds_of(num_examples: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each example, ``[E]`` in 0..FOLDS - 1, shuffled; sizes differ by at most one."""
    return np.random.default_rng(seed).permutation(np.arange(num_examples) % FOLDS)


def cross_fitted(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return isotonic confidences ``[E]``, each from a curve not fitted on it; None with too few examples."""
    if len(confidence) * (FOLDS - 1) // FOLDS < TOO_FEW:
        return None
    fold = folds_of(len(confidence))
    calibrated = np.empty(len(confidence), np.float64)
    for f in range(FOLDS):
        seen = fold != f
        calibrated[~seen] = fit_calibration(confidence[seen], correct[seen]).table(confidence[~seen])
    return calibrated


def compare_calibrations(
    model: CareerModel,
    arrays: CareerArrays,
    examples: Examples,
    confidence: NDArray[np.floating],
    correct: NDArray[np.bool_],
) -> dict[str, Any]:
    """Return ECE and Brier score on val for isotonic regression, temperature scaling and no calibration.

    Args:
        model: The model, in eval mode.
        arrays: The careers of val.
        examples: Examples of val.
        confidence: Confidence of the top title, ``[E]``.
        correct: Whether the top title was right, bool ``[E]``.

    Returns:
        ``none``, ``isotonic`` and ``temperature`` (each with ``ece``, ``ece_equal_mass``, ``brier``; the
        last also with ``temperature`` and ``num_examples``), and ``best``, the one with the lowest Brier
        score, which rewards calibration and sharpness. With too few examples ``isotonic`` is None.
    """
    isotonic = cross_fitted(confidence, correct)
    every = max(1, int(np.ceil(len(examples) * model.vocab_size / _MOST_LOGITS)))
    subset = Examples(examples.start[::every], examples.length[::every])
    temperature, scaled = _temperature(model, arrays, subset)
    metrics: dict[str, Any] = {
        "none": calibration_metrics(confidence, correct),
        "isotonic": None if isotonic is None else calibration_metrics(isotonic, correct),
        "temperature": {
            **calibration_metrics(scaled, correct[::every]),
            "temperature": temperature,
            "num_examples": len(subset),
        },
    }
    # All are compared on the examples that were used to fit temperature scaling.
    brier = {"none": brier_score(confidence[::every], correct[::every])}
    brier["temperature"] = brier_score(scaled, correct[::every])
    if isotonic is not None:
        brier["isotonic"] = brier_score(isotonic[::every], correct[::every])
    best = min((name for name in brier if brier[name] is not None), key=lambda name: brier[name] or 0.0)
    return {**metrics, "best": best}


def _temperature(
    model: CareerModel, arrays: CareerArrays, examples: Examples
) -> tuple[float, NDArray[np.float64]]:
    """Return the temperature with the lowest NLL on all examples, and cross-fitted confidences ``[E]``."""
    logits_EV, target_E = _logits(model, arrays, examples)
    known_E = (target_E != 0).numpy()
    nll_TE, top_TE = np.empty((2, len(_TEMPERATURES), len(target_E)))
    for t, temperature in enumerate(_TEMPERATURES):
        log_p_EV = torch.log_softmax(logits_EV / temperature, 1)
        nll_TE[t] = -log_p_EV.gather(1, target_E[:, None])[:, 0].numpy()
        top_TE[t] = log_p_EV.amax(1).exp().numpy()
    fold = folds_of(len(target_E))
    scaled = np.empty(len(target_E), np.float64)
    for f in range(FOLDS):
        seen = (fold != f) & known_E
        best = int(nll_TE[:, seen].mean(1).argmin()) if seen.any() else len(_TEMPERATURES) // 2
        scaled[fold == f] = top_TE[best, fold == f]
    overall = int(nll_TE[:, known_E].mean(1).argmin()) if known_E.any() else len(_TEMPERATURES) // 2
    return float(_TEMPERATURES[overall]), scaled


@torch.inference_mode()
def _logits(model: CareerModel, arrays: CareerArrays, examples: Examples) -> tuple[Tensor, Tensor]:
    loader = Loader(arrays, examples, prediction_batch_size(model.vocab_size))
    batches = [(batch.index, model(batch.title_ids, batch.lengths)[0], batch.next_title) for batch in loader]
    original_order = torch.argsort(torch.cat([index for index, _, _ in batches]))
    logits_EV = torch.cat([logits for _, logits, _ in batches])[original_order]
    return logits_EV, torch.cat([target for _, _, target in batches])[original_order]
