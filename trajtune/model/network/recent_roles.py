"""Limits the input of a model to the most recent roles of each career.

The model itself does this, so training, validation, calibration and the exported graph read the same roles.
"""

# B careers in a batch, T roles (padded), N most recent roles

import torch
from torch import Tensor


def most_recent(title_ids: Tensor, lengths: Tensor | None, max_history: int) -> tuple[Tensor, Tensor | None]:
    """Return the last ``max_history`` roles of each career, and their numbers.

    Careers with at most that many roles stay as they are.

    Args:
        title_ids: Title ids, integer ``[B, T]``, oldest role first; values after a length have no meaning.
        lengths: Numbers of roles, int64 ``[B]``, each in 1..T; None: every position is a role.
        max_history: N, the largest number of roles; 0: all.

    Returns:
        Title ids ``[B, min(T, N)]`` and the numbers of roles, each in 1..N.
    """
    if not max_history:
        return title_ids, lengths
    if torch.onnx.is_in_onnx_export() and lengths is not None:
        recent: Tensor = recent_roles(title_ids, lengths, max_history)
        return recent, lengths.clamp(max=max_history)
    if title_ids.shape[1] <= max_history:
        return title_ids, lengths
    if lengths is None:
        return title_ids[:, -max_history:], None
    return recent_roles(title_ids, lengths, max_history), lengths.clamp(max=max_history)


@torch.library.custom_op("trajtune::recent_roles", mutates_args=())
def recent_roles(title_ids: Tensor, lengths: Tensor, max_history: int) -> Tensor:
    """Return the last ``max_history`` roles of each career, ``[B, min(T, N)]``; see `most_recent`.

    ``torch.export`` would fix whether T exceeds N. As one opaque operator, this function becomes ONNX nodes
    that handle both cases.
    """
    width = min(title_ids.shape[1], max_history)
    first_B1 = (lengths - max_history).clamp(min=0)[:, None].to(title_ids.device)
    return title_ids.gather(1, first_B1 + torch.arange(width, device=title_ids.device))


@recent_roles.register_fake
def _(title_ids: Tensor, lengths: Tensor, max_history: int) -> Tensor:
    width = torch.sym_min(title_ids.shape[1], max_history)  # type: ignore[no-untyped-call]
    return title_ids.new_empty(title_ids.shape[0], width)
