"""The module of the n-gram baseline has the baseline's probabilities, in torch and when exported."""

from pathlib import Path

import numpy as np
import pytest
import torch

from trajtune.bundle.graph import Graph
from trajtune.dataset.arrays import CareerArrays, examples_of, last_roles
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.calibrate.isotonic import CalibrationTable
from trajtune.finalizing.export.exported_module import ExportedModule
from trajtune.finalizing.export.parity import check_parity
from trajtune.finalizing.export.to_onnx import export_to_onnx, simplify_onnx
from trajtune.model.baselines.copies import DECAY
from trajtune.model.baselines.ngram import NGram, ngram
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.network.ngram_module import NGramModule

VOCAB_SIZE = 12
CHOICES = [
    NGramChoice(1, "all", None, None, 0.0),
    NGramChoice(2, "last", 5.0, 0.5, 0.3),
    NGramChoice(3, "all", 20.0, 0.75, 0.15),
    NGramChoice(3, "last", None, None, 0.5),
]


def careers(num_careers: int, seed: int) -> CareerArrays:
    random = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(random.integers(2, 9, num_careers))]).astype(np.int64)
    ids = (random.random(offsets[-1]) ** 2 * VOCAB_SIZE).astype(np.int32)  # includes 0, the unknown title
    nothing = np.full(len(ids), np.nan, np.float32)
    return CareerArrays(
        ids,
        offsets,
        nothing,
        nothing,
        nothing,
        random.integers(0, 9000, len(ids)).astype(np.int32),
        last_roles(offsets),
    )


def module_of(baseline: NGram) -> NGramModule:
    return NGramModule(baseline.titles, baseline.choice.copy_share, DECAY).eval()


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.in_words())
def test_probabilities_match_the_baseline_with_and_without_padding(choice: NGramChoice) -> None:
    baseline = ngram(careers(60, seed=0), VOCAB_SIZE, choice)
    module, asked = module_of(baseline), careers(80, seed=1)
    examples = examples_of(asked, "every_transition")
    expected = baseline.distribution(asked, examples)
    longest = int(examples.length.max())
    padded = np.full((len(examples), longest + 2), VOCAB_SIZE - 1)  # padding with a known title
    for row, (start, length) in enumerate(zip(examples.start, examples.length, strict=True)):
        padded[row, :length] = asked.title_ids[start : start + length]

    together, tenure, hireability = module(torch.from_numpy(padded), torch.from_numpy(examples.length))
    alone = [
        module(torch.from_numpy(asked.title_ids[start : start + length][None]))[0][0]
        for start, length in zip(examples.start, examples.length, strict=True)
    ]

    assert np.allclose(together.exp().numpy(), expected, atol=1e-6)
    assert torch.allclose(torch.stack(alone).exp(), together.exp(), atol=1e-6)
    assert (together.exp()[:, 0] == 0).all()
    assert (tenure.shape, hireability.shape) == ((len(examples), 2), (len(examples), 1))


@pytest.mark.parametrize("choice", CHOICES[1:3], ids=lambda choice: choice.in_words())
def test_the_exported_module_matches_torch(choice: NGramChoice, tmp_path: Path) -> None:
    train = careers(60, seed=0)
    exported = ExportedModule(
        module_of(ngram(train, VOCAB_SIZE, choice)),
        VOCAB_SIZE,
        Corrections(CalibrationTable((0.0, 1.0), (0.0, 1.0))),
    ).eval()
    path = tmp_path / "model.onnx"
    export_to_onnx(exported, path)
    simplify_onnx(path)
    asked = careers(40, seed=2)
    examples = examples_of(asked, "last")
    histories = [
        asked.title_ids[start : start + length].astype(np.int64)
        for start, length in zip(examples.start, examples.length, strict=True)
    ]

    found = check_parity(Graph(path), exported, histories)

    assert found["parity_passed"], found


def test_without_known_moves_the_distribution_is_uniform() -> None:
    nothing = careers(5, seed=0)
    unknown = CareerArrays(**{**nothing.to_dict(), "title_ids": np.zeros_like(nothing.title_ids)})
    module = module_of(ngram(unknown, VOCAB_SIZE, CHOICES[0]))

    logits, _, _ = module(torch.tensor([[1, 2]]))

    assert torch.allclose(logits.exp()[0, 1:], torch.tensor(1 / (VOCAB_SIZE - 1)))
