"""The network of `trajtune.model.network.lstm` in a form that `torch.vmap` accepts.

It has the same weights with the same names. Its LSTM consists of plain operations, and its dropout masks are
inputs, so that each stacked model keeps its own random state.
"""

# B examples in a batch, T roles (padded), E embedding, H hidden, X inputs of an LSTM layer, D directions (2)

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trajtune.experiment.params import Params
from trajtune.model.batches import Batch
from trajtune.model.checkpoint import model_options
from trajtune.model.network.lstm import CareerTrajectoryLSTM, FactoredLogits
from trajtune.model.network.title_vectors import TitleVectors
from trajtune.model.network.title_words import TitleWords

_CLASSIFIER_DROPOUT = 2
"""Position of the dropout in ``next_role_head``."""


class Masked(nn.Module):
    """Dropout with a given mask: a buffer of zeros and of ``1 / (1 - p)``."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(()))

    def forward(self, values: Tensor) -> Tensor:
        """Multiply the values by the mask."""
        return values * self.mask


class StackableLSTM(CareerTrajectoryLSTM):
    """A model without weights; `torch.func.functional_call` provides them. ``forward`` returns the scores."""

    @classmethod
    def like(cls, model: CareerTrajectoryLSTM, params: Params) -> "StackableLSTM":
        """Return the form of a model that can be stacked; it has no weights of its own."""
        words = None
        if isinstance(model.embedding, TitleVectors):
            words = TitleWords(model.embedding.word_ids.cpu().numpy(), model.embedding.offsets.cpu().numpy())
        with torch.device("meta"):
            network = cls(model.vocab_size, title_words=words, **model_options(params))
            network.embedding_dropout = Masked()
            network.next_role_head[_CLASSIFIER_DROPOUT] = Masked()
            network.between_layers = nn.ModuleList([Masked() for _ in range(network.num_layers - 1)])
        return network

    between_layers: nn.ModuleList

    def forward(  # type: ignore[override]
        self, title_ids: Tensor, lengths: Tensor | None = None
    ) -> tuple[FactoredLogits, Tensor, Tensor]:
        """Return the scores; see `CareerTrajectoryLSTM.scores`."""
        return self.scores(title_ids, lengths)

    def title_table(self) -> Tensor:
        """Return the title vectors ``[V, E]``; `torch.vmap` has no rule for ``embedding_bag``."""
        embedding = self.embedding
        if not isinstance(embedding, TitleVectors):
            return embedding.weight
        num_words = embedding.offsets.diff()
        title_of_word = torch.repeat_interleave(num_words, output_size=len(embedding.word_ids))
        return embedding.weight.index_add(0, title_of_word, embedding.words[embedding.word_ids])

    def final_state(self, roles_BTX: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the final states of the last layer, ``[B, 2H]``, with plain operations."""
        x_TBX = roles_BTX.transpose(0, 1)
        is_role_TDB1 = None if lengths is None else _is_role(lengths, len(x_TBX))
        final_DBH = x_TBX
        for layer in range(self.num_layers):
            weights = self.lstm.all_weights[2 * layer : 2 * layer + 2]
            outputs_TDBH, final_DBH = _bilstm_layer(x_TBX, is_role_TDB1, weights)
            if layer < self.num_layers - 1:
                forward_TBH, backward_TBH = outputs_TDBH.unbind(1)
                x_TBX = self.between_layers[layer](torch.cat([forward_TBH, backward_TBH.flip(0)], 2))
        return torch.cat([final_DBH[0], final_DBH[1]], 1)


def _is_role(lengths: Tensor, num_roles: int) -> Tensor:
    """Return whether each step of each direction reads a role, ``[T, 2, B, 1]``; padding comes last."""
    forward_TB = torch.arange(num_roles, device=lengths.device)[:, None] < lengths
    return torch.stack([forward_TB, forward_TB.flip(0)], 1)[..., None]


def _bilstm_layer(
    x_TBX: Tensor, is_role_TDB1: Tensor | None, weights: Sequence[Sequence[Tensor]]
) -> tuple[Tensor, Tensor]:
    """Run one layer, both directions in each step. The backward direction reads the roles from the last.

    Returns:
        The outputs of each step ``[T, 2, B, H]``, in the order in which each direction reads; and the final
        states ``[2, B, H]``. Padding does not change a state.
    """
    ih, hh, bias_ih, bias_hh = map(torch.stack, zip(*weights, strict=True))
    x_DTBX = torch.stack([x_TBX, x_TBX.flip(0)])
    hidden_dim = hh.shape[2]
    num_roles, num_examples, num_inputs = x_TBX.shape
    bias_D1G = (bias_ih + bias_hh)[:, None]
    read_DTBG = torch.baddbmm(bias_D1G, x_DTBX.reshape(2, -1, num_inputs), ih.transpose(1, 2))
    read_TDBG = read_DTBG.view(2, num_roles, num_examples, -1).transpose(0, 1)
    hidden_DBH = cell_DBH = x_TBX.new_zeros(2, num_examples, hidden_dim)
    outputs = []
    for step in range(num_roles):
        gates_DBG = torch.baddbmm(read_TDBG[step], hidden_DBH, hh.transpose(1, 2))
        taken, kept, candidate, shown = gates_DBG.chunk(4, 2)
        new_cell_DBH = torch.sigmoid(kept) * cell_DBH + torch.sigmoid(taken) * torch.tanh(candidate)
        new_hidden_DBH = torch.sigmoid(shown) * torch.tanh(new_cell_DBH)
        if is_role_TDB1 is not None:
            new_cell_DBH = torch.where(is_role_TDB1[step], new_cell_DBH, cell_DBH)
            new_hidden_DBH = torch.where(is_role_TDB1[step], new_hidden_DBH, hidden_DBH)
        cell_DBH, hidden_DBH = new_cell_DBH, new_hidden_DBH
        outputs.append(hidden_DBH)
    return torch.stack(outputs), hidden_DBH


def draw_masks(
    params: Params, batch: Batch, shape: tuple[int, int], generator: torch.Generator
) -> dict[str, Tensor]:
    """Draw the dropout masks of a batch, by the names of their buffers, padded to a shape.

    On a CPU these are the masks that the model itself would draw, in the same order.

    Args:
        params: Params of the model.
        batch: The batch.
        shape: Examples and roles of the largest batch in the stack.
        generator: The random state of the training.
    """
    num_examples, num_roles = batch.title_ids.shape
    examples, more_roles = shape[0] - num_examples, shape[1] - num_roles
    masks = {}

    def drawn(rate: float, *size: int) -> Tensor:
        mask = torch.empty(size, device=generator.device).bernoulli_(1 - rate, generator=generator)
        return mask.div_(1 - rate)

    if rate := params.embedding_dropout:
        mask_BTE = drawn(rate, num_examples, num_roles, params.embedding_dim)
        masks["embedding_dropout.mask"] = F.pad(mask_BTE, (0, 0, 0, more_roles, 0, examples))
    if rate := params.dropout:
        for layer in range(params.num_layers - 1):
            width, start = 2 * params.hidden_dim, int(params.career_start)
            if batch.lengths is None:
                mask_TBX = drawn(rate, num_roles + start, num_examples, width)
            else:  # the model draws one row for each role, as in a packed sequence
                lengths = batch.lengths + start
                like = pack_padded_sequence(
                    torch.empty(num_examples, num_roles + start, 1), lengths, True, enforce_sorted=False
                )
                packed = like._replace(data=drawn(rate, len(like.data), width))
                mask_TBX, _ = pad_packed_sequence(packed, total_length=num_roles + start)
            masks[f"between_layers.{layer}.mask"] = F.pad(mask_TBX, (0, 0, 0, examples, 0, more_roles))
        mask_BD = drawn(rate, num_examples, 64)
        masks[f"next_role_head.{_CLASSIFIER_DROPOUT}.mask"] = F.pad(mask_BD, (0, 0, 0, examples))
    return masks
