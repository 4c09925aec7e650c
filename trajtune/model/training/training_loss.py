"""The training loss: the weighted sum of the heads' losses, as one autograd function."""

# B examples, V titles

from torch import Tensor

from trajtune.experiment.params import Params
from trajtune.model.fast.losses import (
    Loss,
    PrecomputedGradients,
    hireability_loss,
    next_role_loss,
    pinball_loss,
    squared_loss,
)
from trajtune.model.fast.sampled_softmax import DrawnTitles, sampled_next_role_loss
from trajtune.model.network.lstm import FactoredLogits


def training_loss(
    scores: tuple[FactoredLogits, Tensor, Tensor],
    next_title_B: Tensor,
    tenure_B: Tensor,
    hireable_B: Tensor,
    params: Params,
    weight_B: Tensor | None = None,
    hireable_weight_B: Tensor | None = None,
    drawn: DrawnTitles | None = None,
) -> Tensor:
    """Return cross-entropy + ``tenure_weight`` × tenure + ``hireability_weight`` × hireability, a scalar.

    Args:
        scores: Logits, standardised tenure ``[B, 2]``, hireability logit ``[B, 1]``.
        next_title_B: Target titles, int64; 0 means no target.
        tenure_B: Target tenures, standardised, float32; NaN means no target.
        hireable_B: Target labels 1 or 0, float32; NaN means no target.
        params: Params, with the loss weights, the tenure loss and the number of softmax samples.
        weight_B: Weights of the examples in each loss, float32; None: all are 1.
        hireable_weight_B: Additional factors of the weights in the hireability loss, float32; None: 1.
        drawn: Titles that were sampled for the softmax; None: they are sampled here.

    Returns:
        The loss; only one backward pass through it is possible.
    """
    logits, tenure_B2, hireability_B1 = scores
    label_weight_B = hireable_weight_B if weight_B is None else weight_B
    if weight_B is not None and hireable_weight_B is not None:
        label_weight_B = weight_B * hireable_weight_B
    tenure_loss = pinball_loss if params.tenure_loss == "pinball" else squared_loss

    def compute(tenure_B2: Tensor, hireability_B1: Tensor, *classifier: Tensor) -> Loss:
        tenure, (d_tenure_B2,) = tenure_loss(tenure_B2, tenure_B, weight_B)
        hireability, (d_hireability_B1,) = hireability_loss(hireability_B1, hireable_B, label_weight_B)
        if params.softmax_samples:
            next_role, d_classifier = sampled_next_role_loss(
                FactoredLogits(*classifier), next_title_B, params.softmax_samples, weight_B, drawn
            )
        else:
            next_role, d_classifier = next_role_loss(FactoredLogits(*classifier), next_title_B, weight_B)
        value = next_role + params.tenure_weight * tenure + params.hireability_weight * hireability
        assert d_tenure_B2 is not None
        assert d_hireability_B1 is not None
        d_tenure_B2.mul_(params.tenure_weight)
        d_hireability_B1.mul_(params.hireability_weight)
        return Loss(value, (d_tenure_B2, d_hireability_B1, *d_classifier))

    loss: Tensor = PrecomputedGradients.apply(compute, tenure_B2, hireability_B1, *logits)  # type: ignore[no-untyped-call]
    return loss
