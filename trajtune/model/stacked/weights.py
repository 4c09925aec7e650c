"""The weights of several models and the state of their optimizers, stacked in one block for each group."""

# K models, P weights of a parameter group

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from trajtune.model.training.epoch import EpochTraining


class StackedWeights:
    """Stacked copies of the weights and of Adam's state of several models with equal shapes.

    Attributes:
        by_name: Weights ``[K, ...]`` by their name in the model; views of the blocks.
    """

    def __init__(self, trainings: Sequence[EpochTraining]) -> None:
        self._trainings = trainings
        groups = [training.optimizer.param_groups for training in trainings]
        self._blocks = [
            torch.stack([_flat(group["params"]) for group in of_models])
            for of_models in zip(*groups, strict=True)
        ]
        self._gradients = [torch.empty_like(block_KP) for block_KP in self._blocks]
        self.by_name = _named_views(trainings[0], self._blocks)
        self._gradients_by_name = _named_views(trainings[0], self._gradients)
        self._rows: list[list[Tensor]] = [list(block_KP) for block_KP in self._blocks]
        for rows, gradients in zip(self._rows, self._gradients, strict=True):
            for row, gradient in zip(rows, gradients, strict=True):
                row.grad = gradient
        decays = [[group["weight_decay"] for group in of_model] for of_model in groups]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [row], "weight_decay": decays[model][group]}
                for group, rows in enumerate(self._rows)
                for model, row in enumerate(rows)
            ],
            fused=True,
        )
        for number, training in enumerate(trainings):
            for rows, group in zip(self._rows, training.optimizer.param_groups, strict=True):
                self._optimizer.state[rows[number]] = _state(training.optimizer, group["params"])

    def step(self, gradients: Mapping[str, Tensor], learning_rates: Sequence[float]) -> None:
        """Take one step of AdamW for each model.

        Args:
            gradients: Gradients ``[K, ...]`` by the weights' names.
            learning_rates: Learning rate of each model.
        """
        for name, gradient in gradients.items():
            self._gradients_by_name[name].copy_(gradient)
        for number, group in enumerate(self._optimizer.param_groups):
            group["lr"] = learning_rates[number % len(learning_rates)]
        self._optimizer.step()

    def store(self) -> None:
        """Write the weights and the state back to the models and to their own optimizers."""
        for number, training in enumerate(self._trainings):
            for group, rows in zip(training.optimizer.param_groups, self._rows, strict=True):
                row, state = rows[number], self._optimizer.state[rows[number]]
                parameters = group["params"]
                sizes = [parameter.numel() for parameter in parameters]
                parts = [torch.split(each, sizes) for each in (row, state["exp_avg"], state["exp_avg_sq"])]
                for parameter, weights, mean, square in zip(parameters, *parts, strict=True):
                    own = training.optimizer.state[parameter]
                    own["step"] = state["step"].clone()
                    own["exp_avg"] = mean.view_as(parameter).clone()
                    own["exp_avg_sq"] = square.view_as(parameter).clone()
                    parameter.data.copy_(weights.view_as(parameter))


def _state(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return Adam's state of some parameters as one row; zeros before the first step."""
    known = [optimizer.state[parameter] for parameter in parameters if optimizer.state.get(parameter)]
    if not known:
        zeros = torch.zeros_like(_flat(parameters))
        return {"step": zeros.new_zeros(()), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}
    assert len(known) == len(parameters), "Adam has a state for only some of the weights"
    moments = {name: _flat([state[name] for state in known]) for name in ("exp_avg", "exp_avg_sq")}
    return {"step": known[0]["step"].clone(), **moments}


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def _named_views(training: EpochTraining, blocks: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return a view ``[K, ...]`` of the blocks for each weight of the models, by its name."""
    places = []
    for block_KP, group in zip(blocks, training.optimizer.param_groups, strict=True):
        begin = 0
        for parameter in group["params"]:
            places.append((parameter, block_KP, begin))
            begin += parameter.numel()
    views = {}
    for name, weights in training.model.named_parameters():
        block_KP, begin = next(
            (block_KP, begin + offset)
            for parameter, block_KP, begin in places
            if (offset := _offset_in(parameter, weights)) is not None
        )
        shape = len(block_KP), *weights.shape
        views[name] = block_KP[:, begin : begin + weights.numel()].view(shape)
    return views


def _offset_in(parameter: Tensor, weights: nn.Parameter) -> int | None:
    """Return where a weight begins in a parameter of the optimizer, which may be a pack; None: not in it."""
    offset = (weights.data_ptr() - parameter.data_ptr()) // parameter.element_size()
    return offset if 0 <= offset < parameter.numel() else None
