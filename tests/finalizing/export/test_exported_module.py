import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trajtune.finalizing.calibrate.conformal import TenureCorrection
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.calibrate.isotonic import CalibrationTable
from trajtune.finalizing.calibrate.priors import Priors
from trajtune.finalizing.calibrate.title_sets import SetRule, set_scores
from trajtune.finalizing.export.exported_module import ExportedModule
from trajtune.model.network.lstm import CareerTrajectoryLSTM

PLAIN = CalibrationTable((0.0, 1.0), (0.0, 1.0))


def module(corrections: Corrections) -> ExportedModule:
    torch.manual_seed(0)
    return ExportedModule(CareerTrajectoryLSTM(9, 4, 3), 9, corrections).eval()


class _Logits(nn.Module):
    """A network whose logits are the logarithms of fixed probabilities."""

    def __init__(self, probabilities: list[float]) -> None:
        super().__init__()
        self.register_buffer("logits", torch.tensor(probabilities).log()[None])

    def forward(self, title_ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        num = len(title_ids)
        return self.logits.expand(num, -1), torch.tensor([[6.0, 30.0]] * num), torch.full((num, 1), 0.9)


@pytest.mark.parametrize("correction", [TenureCorrection(0.3, 0.2), TenureCorrection(-2.0, -2.0)])
def test_the_graphs_interval_equals_the_corrected_interval(correction: TenureCorrection) -> None:
    given = np.array([[10.0, 50.0], [30.0, 36.0], [-8.0, -2.0]], np.float32)
    found = module(Corrections(PLAIN, correction)).corrected(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(found, correction(given), rtol=1e-5, atol=1e-5)
    assert (found[:, 0] <= found[:, 1]).all()
    assert (found >= 0).all()


def test_a_correction_multiplies_months_beyond_the_offset() -> None:
    correction = TenureCorrection(np.log(2), np.log(3))
    np.testing.assert_allclose(correction(np.array([[10.0, 50.0]])), [[16 / 2 - 6, 56 * 3 - 6]])
    inwards = TenureCorrection(-9.0, -9.0)(np.array([[10.0, 50.0]]))
    np.testing.assert_allclose(inwards, [[np.sqrt(16 * 56) - 6] * 2])  # never past the middle


def test_a_head_without_labels_gives_the_prior_for_every_career() -> None:
    priors = Priors((6.0, 60.0), 0.25, num_tenures=0, num_hireabilities=0)
    outputs = module(Corrections(PLAIN, priors=priors))(torch.tensor([[1, 2], [3, 8]]), torch.tensor([2, 2]))
    torch.testing.assert_close(outputs[1], torch.tensor([[6.0, 60.0]] * 2))
    assert outputs[2].tolist() == [[0.25], [0.25]]


def test_hireability_is_calibrated_with_its_table() -> None:
    corrections = Corrections(PLAIN, hireability=CalibrationTable((0.0, 1.0), (0.0, 0.5)))
    outputs = ExportedModule(_Logits([0, 0.5, 0.5]), 3, corrections)(torch.tensor([[1]]), torch.tensor([1]))
    assert outputs[2].item() == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("threshold", "size"), [(0.0, 1), (0.49, 1), (0.51, 2), (0.81, 3), (0.96, 4), (-1.0, 0)]
)
def test_a_set_contains_titles_up_to_the_threshold(threshold: float, size: int) -> None:
    rule = SetRule(threshold, penalty=0.0)
    exported = ExportedModule(_Logits([0, 0.15, 0.5, 0.3, 0.05]), 5, Corrections(PLAIN, sets=rule))
    *_, ids, sizes = exported(torch.tensor([[1]]), torch.tensor([1]))
    assert ids.tolist() == [[2, 3, 1, 4][:size] + [0] * (4 - size)]
    assert sizes.tolist() == [[size]]
    assert rule.sizes(np.array([[0.5, 0.3, 0.15, 0.05]])).tolist() == [size]
    np.testing.assert_allclose(set_scores(np.array([[0.5, 0.3]]), 0.1), [[0, 0.6]])
