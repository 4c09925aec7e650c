"""Lazy AdamW equals AdamW with gradients of zeros in the rows that are not used."""

import pytest
import torch

from trajtune.model.fast.lazy_adamw import LazyAdamW


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize(
    ("dtype", "eps", "difference"),
    [(torch.float64, 1e-30, 1e-9), (torch.float32, 1e-8, 1e-3)],
    ids=["exact without eps", "as in training"],
)
def test_lazy_steps_equal_dense_steps_also_over_epochs(
    weight_decay: float, dtype: torch.dtype, eps: float, difference: float
) -> None:
    torch.manual_seed(0)
    lazy = torch.nn.Parameter(torch.randn(50, 8, dtype=dtype))
    dense = torch.nn.Parameter(lazy.detach().clone())
    lazy_adamw, dense_adamw = (
        torch.optim.AdamW([table], lr=1e-2, eps=eps, weight_decay=weight_decay) for table in (lazy, dense)
    )
    for epoch in range(2):
        steps = LazyAdamW(lazy_adamw, lazy, 500)
        for step in range(500):
            rate = 1e-2 * (1 + step % 7) / (1 + epoch)
            lazy_adamw.param_groups[0]["lr"] = dense_adamw.param_groups[0]["lr"] = rate
            # Rows 40 to 49 are used only in the first steps, and then not for longer than the window.
            rows = torch.randperm(50 if step < 20 else 40)[:4].sort().values
            used = steps.use(rows)
            torch.testing.assert_close(used.weights, dense.detach()[rows], atol=difference, rtol=0)
            gradient = torch.randn(4, 8, dtype=dtype) * 1e-2
            used.weights.grad = gradient
            steps.step(used)
            dense.grad = torch.zeros_like(dense).index_copy_(0, rows, gradient)
            dense_adamw.step()
        steps.finish()
        torch.testing.assert_close(lazy, dense, atol=difference, rtol=0)
        for name, value in dense_adamw.state[dense].items():
            torch.testing.assert_close(
                lazy_adamw.state[lazy][name], value, atol=1e-6, rtol=1e-4, check_dtype=False
            )


def test_a_row_without_gradients_only_decays() -> None:
    table = torch.nn.Parameter(torch.ones(3, 2))
    adamw = torch.optim.AdamW([table], lr=0.1, weight_decay=0.5)
    steps = LazyAdamW(adamw, table, 10)
    for _ in range(10):
        used = steps.use(torch.tensor([0]))
        used.weights.grad = torch.ones(1, 2)
        steps.step(used)
    steps.finish()
    torch.testing.assert_close(table[1:].detach(), torch.full((2, 2), 0.95**10))
