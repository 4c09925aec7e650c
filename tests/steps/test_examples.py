"""The examples in the docstrings of the steps run, one after the other, in the order of the pipeline."""

import doctest
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import trajtune
from tests.steps.conftest import CUTOFFS

CHAIN = (
    *("temporal_split", "generate_sequences", "create_dataloaders", "train_epoch", "evaluate"),
    *("train_calibrator", "save_calibrator", "evaluate_calibration", "export_to_onnx", "simplify_onnx"),
    *("evaluate_model", "test_career_changers", "generate_report"),
)

ROLES = pd.DataFrame(
    [
        (person, title, f"{year + person % 4}-01-01", f"{year + person % 4}-12-31")
        for person in range(800)
        for title, year in (("Nurse", 2001), ("Senior Nurse", 2003), (f"Head Nurse {person % 3}", 2005))
    ],
    columns=["candidate_id", "title", "start_date", "end_date"],
)


def examples(name: str) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(getattr(trajtune, name).__doc__ or "")


def test_each_step_has_an_example() -> None:
    named = (*CHAIN, "load_career_sequences", "TitleEncoder", "search", "finalize")
    assert [name for name in named if not (examples(name) or "::" in getattr(trajtune, name).__doc__)] == []


@pytest.mark.slow
def test_the_examples_run_in_the_order_of_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ray_local: None
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    split = trajtune.temporal_split(ROLES, *CUTOFFS)
    encoder = trajtune.TitleEncoder().fit(title for titles in split[0]["titles"] for title in titles)
    names: dict[str, Any] = {name: getattr(trajtune, name) for name in trajtune.__all__}
    # The dates of the example's careers are later than those of these careers.
    names |= {"careers": ROLES, "train": split[0], "val": split[1], "test": split[2], "torch": torch}
    names |= {"encoder": encoder, "model": trajtune.CareerTrajectoryLSTM(encoder.vocab_size)}
    for name in CHAIN[1:]:
        for example in examples(name):
            exec(example.source, names)
    assert names["metrics"]["next_role_top1"] is not None
    assert {path.name for path in tmp_path.iterdir()} >= {"best.pt", "calibrator.pkl", "trajectory-lstm.onnx"}
