"""The exported module: trained network, tenure correction and calibration in one."""

# B careers in a batch, T roles (padded), V titles, K knots

import numpy as np
import torch
from torch import Tensor, nn

from trajtune.finalize.calibrate.isotonic import CalibrationTable

TOP = 5
"""Titles in the extra outputs (fewer only where the vocabulary holds fewer)."""


class ExportedModule(nn.Module):
    """The network with the contract's three outputs, and three more that carry the calibration.

    The conformal correction moves both ends of the tenure interval outwards by `margin_months`
    (inwards where that is negative, never past the middle) and never below zero months.
    """

    knots_x: Tensor
    knots_y: Tensor
    margin_months: Tensor

    def __init__(
        self, model: nn.Module, vocab_size: int, table: CalibrationTable, margin_months: float
    ) -> None:
        """Wrap a trained network.

        Args:
            model: ``(title_ids, lengths)`` to ``(logits, tenure, hireability)``, as `CareerTrajectoryLSTM`.
            vocab_size: V, index 0 included.
            table: Calibration of the top probability.
            margin_months: The conformal correction.
        """
        super().__init__()
        self.model = model
        self.top = min(TOP, vocab_size - 1)
        # float64: with float32 knots the steps of an isotonic curve are off by 2.6e-4.
        x, y = np.asarray(table.breakpoints, np.float64), np.asarray(table.values, np.float64)
        if len(x) == 1:
            x, y = np.append(x, x[0] + 1), np.append(y, y[0])
        self.register_buffer("knots_x", torch.from_numpy(x))
        self.register_buffer("knots_y", torch.from_numpy(y))
        self.register_buffer("margin_months", torch.tensor(margin_months, dtype=torch.float32))

    def forward(
        self, title_ids: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Predict.

        Args:
            title_ids: int64 ``[B, T]``; values past a career's length never matter.
            lengths: int64 ``[B]``, each in 1..T.

        Returns:
            Logits ``[B, V]``, tenure in months ``[B, 2]``, hireability ``[B, 1]``, calibrated confidence
            ``[B, 1]``, ids ``[B, 5]`` and probabilities ``[B, 5]`` (uncalibrated softmax) of the top titles.
        """
        logits_BV, tenure_B2, hireability_B1 = self.model(title_ids, lengths)
        probabilities, ids = torch.topk(torch.softmax(logits_BV, 1), self.top, dim=1)
        confidence_B1 = self.calibrated(probabilities[:, :1])
        return logits_BV, self.corrected(tenure_B2), hireability_B1, confidence_B1, ids, probabilities

    def corrected(self, tenure_B2: Tensor) -> Tensor:
        """The conformal interval ``[B, 2]``, in months, 0 ≤ lower ≤ upper."""
        middle_B1 = (tenure_B2[:, :1] + tenure_B2[:, 1:]) / 2
        lower_B1 = torch.minimum(tenure_B2[:, :1] - self.margin_months, middle_B1)
        upper_B1 = torch.maximum(tenure_B2[:, 1:] + self.margin_months, middle_B1)
        return torch.relu(torch.cat([lower_B1, upper_B1], 1))

    def calibrated(self, probability_B1: Tensor) -> Tensor:
        """Look up the calibration: linear between knots, constant outside; float32 ``[B, 1]``."""
        x_B1 = probability_B1.double()
        # Counting the knots at or below replaces searchsorted, which does not export.
        upper_B = (x_B1 >= self.knots_x).long().sum(1).clamp(1, len(self.knots_x) - 1)
        x0, x1 = self.knots_x[upper_B - 1], self.knots_x[upper_B]
        y0, y1 = self.knots_y[upper_B - 1], self.knots_y[upper_B]
        weight_B = ((x_B1[:, 0] - x0) / (x1 - x0)).clamp(0, 1)
        return (y0 + weight_B * (y1 - y0)).float().unsqueeze(1)
