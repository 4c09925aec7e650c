from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.encode import SplitData
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import TrainingError
from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalizing.build import VAL, calibrate
from trajtune.finalizing.calibrate.priors import Priors
from trajtune.model.checkpoint import build_model, load_checkpoint

TRAINED = Priors((0.0, 60.0), 0.5, num_tenures=1, num_hireabilities=1)


def test_few_val_careers_give_a_warning_and_fewer_than_thirty_are_refused(
    finalized: Path, changing_snapshot: Snapshot
) -> None:
    model, val = build_model(load_checkpoint(finalized / "best.pt")), changing_snapshot.read("val")
    assert "warning" not in calibrate(model, first_careers(val, 200), FinalizeSettings(), VAL, TRAINED).record
    few = calibrate(model, first_careers(val, 30), FinalizeSettings(), VAL, TRAINED).record
    assert few["warning"].startswith("val has 30 people, fewer than 200: the calibration is uncertain")
    with pytest.raises(TrainingError, match="at least 30 examples in val, but there are 29"):
        calibrate(model, first_careers(val, 29), FinalizeSettings(), VAL, TRAINED)


def first_careers(data: SplitData, count: int) -> SplitData:
    end = int(data.arrays.offsets[count])
    parts = {name: getattr(data.arrays, name)[:end] for name in data.arrays.to_dict() if name != "offsets"}
    arrays = CareerArrays(offsets=data.arrays.offsets[: count + 1], **parts)
    return replace(data, arrays=arrays, titles=data.titles[:count], split_dates=data.split_dates[:count])


def test_a_head_without_labels_becomes_a_prior_in_the_graph_and_in_the_record(
    finalized: Path, changing_snapshot: Snapshot
) -> None:
    model, val = build_model(load_checkpoint(finalized / "best.pt")), changing_snapshot.read("val")
    priors = Priors((3.0, 50.0), 0.25, num_tenures=0, num_hireabilities=0)
    found = calibrate(model, val, FinalizeSettings(), VAL, priors)
    assert (found.record["tenure_from"], found.record["hireability_from"]) == ("prior", "prior")
    assert found.record["hireability_reason"] == "training had no known outcome; train's rate is used"
    assert found.corrections.hireability is None
    _, tenure, hireability, *_ = found.module(torch.tensor([[1, 2], [2, 3]]), torch.tensor([2, 2]))
    expected = found.corrections.tenure(np.array([[3.0, 50.0]] * 2))
    np.testing.assert_allclose(tenure.detach().numpy(), expected, rtol=1e-5)
    assert hireability.tolist() == [[0.25], [0.25]]


def test_a_network_with_labels_keeps_its_own_predictions(
    finalized: Path, changing_snapshot: Snapshot
) -> None:
    model, val = build_model(load_checkpoint(finalized / "best.pt")), changing_snapshot.read("val")
    found = calibrate(model, val, FinalizeSettings(), VAL, TRAINED)
    assert (found.record["tenure_from"], found.record["hireability_from"]) == ("model", "model")
    assert found.record["set_nominal_coverage"] == 0.8
    assert (found.corrections.sets is None) == (found.record["set_rule"] is None)
