"""The exported module: the trained network with all corrections."""

# B careers in a batch, T roles (padded), V titles, K knots, S titles of a set at most

import numpy as np
import torch
from torch import Tensor, nn

from trajtune.finalizing.calibrate.conformal import OFFSET_MONTHS
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.calibrate.isotonic import CalibrationTable
from trajtune.finalizing.calibrate.title_sets import MOST_TITLES

TOP = 5
"""Number of titles in the extra outputs (fewer only if the vocabulary has fewer)."""


class ExportedModule(nn.Module):
    """The network with the three outputs of the contract and additional calibrated outputs.

    The softmax is computed in float64, like in JavaScript. Otherwise the steps of the calibration would turn
    a rounding error into a visible difference.
    """

    tenure_shift: Tensor
    tenure_prior: Tensor
    hireability_prior: Tensor

    def __init__(self, model: nn.Module, vocab_size: int, corrections: Corrections) -> None:
        """Wrap a trained network.

        Args:
            model: Module that maps ``(title_ids, lengths)`` to ``(logits, tenure, hireability)``, for example
                `CareerTrajectoryLSTM`.
            vocab_size: V, including index 0.
            corrections: Corrections of the network's outputs.
        """
        super().__init__()
        self.model = model
        self.top = min(TOP, vocab_size - 1)
        self.confidence = _Curve(corrections.confidence)
        self.hireability = None if corrections.hireability is None else _Curve(corrections.hireability)
        self.sets, self.most = corrections.sets, min(MOST_TITLES, vocab_size - 1)
        priors, tenure = corrections.priors, corrections.tenure
        self.has_tenure_prior = priors is not None and priors.tenure_from == "prior"
        self.has_hireability_prior = priors is not None and priors.hireability_from == "prior"
        self.register_buffer("tenure_shift", torch.tensor([-tenure.lower, tenure.upper]))
        self.register_buffer("tenure_prior", torch.tensor(priors.tenure_months if priors else (0.0, 0.0)))
        self.register_buffer("hireability_prior", torch.tensor(priors.hireability if priors else 0.0))

    def forward(self, title_ids: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Predict with all corrections.

        Args:
            title_ids: Title ids, int64 ``[B, T]``; values past a career's length are ignored.
            lengths: Number of roles of each career, int64 ``[B]``, each in 1..T.

        Returns:
            Logits ``[B, V]``, tenure in months ``[B, 2]``, hireability ``[B, 1]``, calibrated confidence
            ``[B, 1]``, ids ``[B, 5]`` and probabilities ``[B, 5]`` (uncalibrated softmax) of the top titles.
            With a `SetRule` also the ids of the set ``[B, S]``, best first and 0 past its end, and the size
            of the set ``[B, 1]``.
        """
        logits_BV, tenure_B2, hireability_B1 = self.model(title_ids, lengths)
        probabilities_BV = torch.softmax(logits_BV.double(), 1)
        most = self.top if self.sets is None else max(self.top, self.most)
        best_BS, ids_BS = torch.topk(probabilities_BV, most, dim=1)
        outputs = (
            logits_BV,
            self.corrected(self._or_prior_tenure(tenure_B2)),
            self._calibrated_hireability(hireability_B1),
            self.confidence(best_BS[:, :1]),
            ids_BS[:, : self.top],
            best_BS[:, : self.top].float(),
        )
        return outputs if self.sets is None else (*outputs, *self._set(best_BS, ids_BS))

    def corrected(self, tenure_B2: Tensor) -> Tensor:
        """Return the conformal interval ``[B, 2]`` in months, 0 ≤ lower ≤ upper; see `TenureCorrection`."""
        ends_B2 = torch.log(torch.relu(tenure_B2) + OFFSET_MONTHS) + self.tenure_shift
        middle_B1 = (ends_B2[:, :1] + ends_B2[:, 1:]) / 2
        lower_B1 = torch.minimum(ends_B2[:, :1], middle_B1)
        upper_B1 = torch.maximum(ends_B2[:, 1:], middle_B1)
        return torch.relu(torch.exp(torch.cat([lower_B1, upper_B1], 1)) - OFFSET_MONTHS)

    def _or_prior_tenure(self, tenure_B2: Tensor) -> Tensor:
        return 0 * tenure_B2 + self.tenure_prior if self.has_tenure_prior else tenure_B2

    def _calibrated_hireability(self, hireability_B1: Tensor) -> Tensor:
        if self.has_hireability_prior:
            return 0 * hireability_B1 + self.hireability_prior
        return hireability_B1 if self.hireability is None else self.hireability(hireability_B1.double())

    def _set(self, best_BS: Tensor, ids_BS: Tensor) -> tuple[Tensor, Tensor]:
        assert self.sets is not None
        before_BS = torch.cumsum(best_BS, 1) - best_BS
        position_S = torch.arange(best_BS.shape[1], device=best_BS.device, dtype=best_BS.dtype)
        # The first title's score must be exactly 0; cancellation above may leave a rounding error.
        scores_BS = torch.relu(before_BS) * (position_S > 0) + self.sets.penalty * position_S
        member_BS = scores_BS <= self.sets.threshold
        return ids_BS * member_BS, member_BS.long().sum(1, keepdim=True)


class _Curve(nn.Module):
    """A calibration table: linear between knots, constant outside."""

    knots_x: Tensor
    knots_y: Tensor

    def __init__(self, table: CalibrationTable) -> None:
        super().__init__()
        # float64, because with float32 knots the steps of an isotonic curve are off by 2.6e-4.
        x, y = np.asarray(table.breakpoints, np.float64), np.asarray(table.values, np.float64)
        if len(x) == 1:
            x, y = np.append(x, x[0] + 1), np.append(y, y[0])
        self.register_buffer("knots_x", torch.from_numpy(x))
        self.register_buffer("knots_y", torch.from_numpy(y))

    def forward(self, x_B1: Tensor) -> Tensor:
        """Return the calibrated values, float32 ``[B, 1]``, of float64 ``[B, 1]``."""
        # Counting the knots at or below x replaces searchsorted, which cannot be exported.
        upper_B = (x_B1 >= self.knots_x).long().sum(1).clamp(1, len(self.knots_x) - 1)
        x0, x1 = self.knots_x[upper_B - 1], self.knots_x[upper_B]
        y0, y1 = self.knots_y[upper_B - 1], self.knots_y[upper_B]
        weight_B = ((x_B1[:, 0] - x0) / (x1 - x0)).clamp(0, 1)
        return (y0 + weight_B * (y1 - y0)).float().unsqueeze(1)
