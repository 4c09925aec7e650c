"""AdamW for a table of which a step uses few rows. The other rows are brought up to date when they are used.

Plain form: ``torch.optim.AdamW`` with a gradient of zeros in the rows that are not used. Such a row still
changes in each step: its moments decay, its weights decay, and it moves along its decaying moments. All of
this depends only on the steps in between, so it can be done later. Let ``m`` and ``v`` be the moments after
step ``l``, and ``D(s)`` the product of ``1 - rate × weight_decay`` up to step ``s``. After step ``k``:

``w × D(k) / D(l) - m / √v × D(k) × Σ_s rate(s) × √(1 - β2^s) / (1 - β1^s) × (β1 / √β2)^(s - l) / D(s)``

with the sum over the steps from ``l + 1`` to ``k``. This is exact for ``eps = 0``, and so are the moments
and the decay. Adam's ``eps`` of 1e-8 is added to ``√v`` as in step ``l + 1``. In the later steps ``√v`` falls
by 0.05 % a step, while the move falls by 10 % a step. So a move along moments far above ``eps`` is exact
within float noise, and one along moments as small as ``eps`` within about half a percent. Terms after 400
steps are left out; they are below 1e-18 of the first.
"""

# V rows of the table, R rows in use, E numbers in a row

from dataclasses import dataclass

import torch
from torch import Tensor

_WINDOW = 400
"""Steps after which a row no longer moves: 0.9004 ** 400 is below 1e-18."""


@dataclass(frozen=True)
class RowsInUse:
    """Rows of the table, up to date, before a step.

    Attributes:
        rows: int64 ``[R]``, ascending.
        weights: ``[R, E]``; a leaf, whose ``grad`` is set by a backward pass.
        mean, square: Adam's moments, ``[R, E]``.
    """

    rows: Tensor
    weights: Tensor
    mean: Tensor
    square: Tensor


class LazyAdamW:
    """The steps of an epoch for one table of an optimizer.

    Between the epochs, the table and its state in the optimizer are up to date, and have the form that the
    optimizer itself gives them. The table's gradient stays None, so the optimizer does not change the table.

    Args:
        optimizer: AdamW with the table as one of its parameters.
        table: The table, ``[V, E]``.
        num_steps: Number of steps of the epoch.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, table: Tensor, num_steps: int) -> None:
        self._table = table.detach()
        self._group = next(
            group for group in optimizer.param_groups if any(table is each for each in group["params"])
        )
        self._state = optimizer.state[table]
        if not self._state:
            self._state["step"] = torch.zeros((), dtype=torch.float32, device=table.device)
            self._state["exp_avg"] = torch.zeros_like(self._table)
            self._state["exp_avg_sq"] = torch.zeros_like(self._table)
        self._before = int(self._state["step"])
        self._done = 0
        self._last_V = torch.zeros(len(table), dtype=torch.int64)
        self._beta_1, self._beta_2 = self._group["betas"]
        self._decay = torch.ones(num_steps + 1, dtype=torch.float64)  # D of each step
        self._moved = torch.zeros(num_steps + 1, dtype=torch.float64)  # the sum, from each step until now
        self._ratio = self._beta_1 / self._beta_2**0.5
        self._powers = self._ratio ** torch.arange(_WINDOW, 0, -1, dtype=torch.float64)

    def use(self, rows: Tensor) -> RowsInUse:
        """Bring rows up to date; `step` must follow.

        Args:
            rows: int64 ``[R]``, ascending.
        """
        state = self._state
        weights, mean, square = (
            each.index_select(0, rows) for each in (self._table, state["exp_avg"], state["exp_avg_sq"])
        )
        last_R = self._last_V[rows]
        now = self._decay[self._done]
        self._catch_up(weights, mean, square, now * self._moved[last_R], now / self._decay[last_R], last_R)
        return RowsInUse(rows, weights.requires_grad_(), mean, square)

    def step(self, used: RowsInUse) -> None:
        """Take a step with the gradient of the rows in use and the optimizer's learning rate."""
        gradient = used.weights.grad
        assert gradient is not None, "the rows have no gradient"
        rate, decay, eps = self._group["lr"], self._group["weight_decay"], self._group["eps"]
        self._done += 1
        number = self._before + self._done
        correction = (1 - self._beta_2**number) ** 0.5
        size = rate / (1 - self._beta_1**number)
        weights = used.weights.detach().mul_(1 - rate * decay)
        used.mean.lerp_(gradient, 1 - self._beta_1)
        used.square.mul_(self._beta_2).addcmul_(gradient, gradient, value=1 - self._beta_2)
        weights.addcdiv_(used.mean, used.square.sqrt().div_(correction).add_(eps), value=-size)
        for target, rows in (
            (self._table, weights),
            (self._state["exp_avg"], used.mean),
            (self._state["exp_avg_sq"], used.square),
        ):
            target.index_copy_(0, used.rows, rows)
        self._last_V[used.rows] = self._done
        self._decay[self._done] = self._decay[self._done - 1] * (1 - rate * decay)
        first = max(0, self._done - _WINDOW)
        factor = size * correction / self._decay[self._done]
        self._moved[first : self._done] += factor * self._powers[first - self._done :]

    def finish(self) -> None:
        """Bring all rows up to date, and the optimizer's state with them."""
        now = self._decay[self._done]
        last_V = self._last_V
        coefficients = now * self._moved[last_V], now / self._decay[last_V]
        self._catch_up(self._table, self._state["exp_avg"], self._state["exp_avg_sq"], *coefficients, last_V)
        self._last_V.fill_(self._done)
        self._state["step"].fill_(self._before + self._done)

    def _catch_up(
        self, weights: Tensor, mean: Tensor, square: Tensor, moved_R: Tensor, decay_R: Tensor, last_R: Tensor
    ) -> None:
        """Do the steps since the last update of each row, in place."""
        dtype, skipped_R = weights.dtype, (self._done - last_R).double()
        weights.mul_(decay_R.to(dtype)[:, None])
        eps_R = self._group["eps"] * (1 - self._beta_2 ** (self._before + last_R.double() + 1)) ** 0.5
        # A row without a gradient so far has moments of 0 and does not move.
        scale = square.sqrt().add_(eps_R.to(dtype)[:, None]).clamp_(min=torch.finfo(dtype).tiny)
        direction = mean / scale
        weights.sub_(direction.mul_(moved_R.to(dtype)[:, None]))
        mean.mul_((self._beta_1**skipped_R).to(dtype)[:, None])
        square.mul_((self._beta_2**skipped_R).to(dtype)[:, None])
