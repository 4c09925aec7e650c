import torch

from trajtune.finalize.calibrate.isotonic import CalibrationTable
from trajtune.finalize.export.exported_module import ExportedModule
from trajtune.model.network.lstm import CareerTrajectoryLSTM


def test_a_negative_margin_never_turns_the_interval_round() -> None:
    module = ExportedModule(CareerTrajectoryLSTM(9, 4, 3), 9, CalibrationTable((0.0, 1.0), (0.0, 1.0)), -10.0)
    corrected = module.corrected(torch.tensor([[10.0, 50.0], [30.0, 36.0], [-8.0, -2.0]]))
    assert corrected.tolist() == [[20.0, 40.0], [33.0, 33.0], [0.0, 0.0]]
