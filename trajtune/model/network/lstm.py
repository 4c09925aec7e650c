"""The model: title embedding, bidirectional LSTM, three heads. Knows nothing of losses, data or training."""

# B examples in a batch, T roles (padded), E embedding, H hidden, V titles, L layers

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from trajtune.model.network.copy_head import Copied, CopyHead, mixed
from trajtune.model.network.recent_roles import most_recent
from trajtune.model.network.title_vectors import TitleVectors
from trajtune.model.network.title_words import TitleWords

UNKNOWN_LOGIT = -1e4
"""Logit of index 0. Its probability underflows to exactly 0 in float32, so it has no gradient either."""


class FactoredLogits(NamedTuple):
    """The factors of the logits ``hidden @ weight.T + bias``, with ``stays`` added at the last title.

    With a large vocabulary, the logits of a batch need many times the memory of their factors.

    Attributes:
        hidden: ``[B, D]``: input of the classifier's last layer.
        weight: ``[V, D]``: weights of that layer.
        bias: ``[V]``: bias of that layer.
        stays: ``[B, 1]``: value added to the logit of the last title; None: nothing is added.
        last: int64 ``[B, 1]``: last titles; None if `stays` is None.
        log_generate, log_copy, held: Parts of the copy mixture, see `copy_head.Copied`; None: no copies.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor
    stays: Tensor | None
    last: Tensor | None
    log_generate: Tensor | None = None
    log_copy: Tensor | None = None
    held: Tensor | None = None

    @property
    def copied(self) -> Copied | None:
        """Parts of the copy mixture; None without copies."""
        if self.log_generate is None or self.log_copy is None or self.held is None:
            return None
        return Copied(self.log_generate, self.log_copy, self.held)

    def multiplied(self) -> Tensor:
        """Return the logits ``[B, V]``; with copies, these are log-probabilities."""
        generated_BV = self.generated()
        return generated_BV if self.copied is None else mixed(generated_BV, self.copied)

    def generated(self) -> Tensor:
        """Return the logits ``[B, V]`` of the classifier without copies."""
        logits_BV = F.linear(self.hidden, self.weight, self.bias)
        if self.stays is None or self.last is None:
            return logits_BV
        return logits_BV.scatter_add(1, self.last, self.stays)


class CareerTrajectoryLSTM(nn.Module):
    """Predicts the next title, its tenure and hireability from the titles of a career so far.

    The widths and heads are those of the specification; the further options are off by default. Index 0
    (padding, unknown) has the zero vector as its embedding and `UNKNOWN_LOGIT` as its logit. Training changes
    neither.
    """

    tenure_mean: Tensor
    tenure_std: Tensor

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden_dim: int = 16,
        num_layers: int = 2,
        dropout: float = 0.1,
        *,
        tie_weights: bool = False,
        skip_last_title: bool = False,
        title_changes: bool = False,
        career_start: bool = False,
        repeat_gate: bool = False,
        copy_head: bool = False,
        embedding_dropout: float = 0.0,
        title_words: TitleWords | None = None,
        max_history: int = 0,
    ) -> None:
        """Create the layers with torch's default initialisation.

        Args:
            vocab_size: V, including index 0.
            embedding_dim: E.
            hidden_dim: H of each direction.
            num_layers: L.
            dropout: Dropout probability between LSTM layers and in the classifier.
            tie_weights: Whether the classifier's last layer uses the title vectors as its weights.
            skip_last_title: Whether the heads also get the vector of the last title.
            title_changes: Whether the LSTM also reads the difference of each title vector to the previous
                one.
            career_start: Whether the LSTM reads a learned vector before the first role.
            repeat_gate: Whether a learned score is added to the logit of the last title.
            copy_head: Whether part of the next title's probability is copied from the titles of the career.
            embedding_dropout: Dropout probability on the title vectors.
            title_words: Words that title vectors are composed of; None: one plain vector per title.
            max_history: Largest number of roles that are read, the most recent ones; 0: all.
        """
        super().__init__()
        self.max_history = max_history
        self.hidden_dim, self.num_layers, self.vocab_size = hidden_dim, num_layers, vocab_size
        self.tie_weights, self.skip_last_title = tie_weights, skip_last_title
        self.title_changes = title_changes
        self.embedding: nn.Embedding = (
            nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
            if title_words is None
            else TitleVectors(vocab_size, embedding_dim, title_words)
        )
        self.embedding_dropout: nn.Module = nn.Dropout(embedding_dropout)
        input_size = 2 * embedding_dim if title_changes else embedding_dim
        self.start_vector = nn.Parameter(torch.randn(input_size)) if career_start else None
        self.lstm = nn.LSTM(
            input_size,
            hidden_dim,
            num_layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        width = 2 * hidden_dim + (embedding_dim if skip_last_title else 0)
        hidden = nn.Linear(width, 64)
        # With tied weights, the title vectors are the weights of the last layer, and its bias is separate.
        last = nn.Linear(64, embedding_dim, bias=False) if tie_weights else nn.Linear(64, vocab_size)
        self.next_role_head = nn.Sequential(hidden, nn.ReLU(), nn.Dropout(dropout), last)
        self.tenure_head = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 2))
        self.hireability_head = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 1))
        self.repeat_head = (
            nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 1)) if repeat_gate else None
        )
        self.copy_head = CopyHead(width, embedding_dim) if copy_head else None
        self.register_buffer("tenure_mean", torch.zeros(()))
        self.register_buffer("tenure_std", torch.ones(()))
        with torch.no_grad():
            if tie_weights:
                # Vectors of length 1: longer ones make the untrained model overconfident.
                for vectors in self.embedding.parameters():
                    vectors.mul_(embedding_dim**-0.5)
                self.tied_bias = nn.Parameter(torch.zeros(vocab_size))
                self.tied_bias[0] = UNKNOWN_LOGIT
            else:
                last.weight[0] = 0.0
                last.bias[0] = UNKNOWN_LOGIT

    def forward(self, title_ids: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Predict the next role, in the units of the serving contract.

        Args:
            title_ids: Title ids, integer ``[B, T]``, oldest role first; values after a length have no effect.
            lengths: Numbers of roles, int64 ``[B]``, each in 1..T; None: every position is a role.

        Returns:
            Logits ``[B, V]``. Tenure ``[B, 2]`` in months, lower ≤ upper. Hireability ``[B, 1]`` in 0..1.
        """
        logits, tenure_B2, hireability_B1 = self.scores(title_ids, lengths)
        ordered_B2 = torch.cat([tenure_B2.amin(1, keepdim=True), tenure_B2.amax(1, keepdim=True)], 1)
        tenure_months_B2 = ordered_B2 * self.tenure_std + self.tenure_mean
        return logits.multiplied(), tenure_months_B2, torch.sigmoid(hireability_B1)

    def scores(
        self, title_ids: Tensor, lengths: Tensor | None = None
    ) -> tuple[FactoredLogits, Tensor, Tensor]:
        """Return the inputs of the losses: logits, standardised tenure (unordered), hireability as a logit.

        Args:
            title_ids: Title ids, integer ``[B, T]``; see `forward`.
            lengths: Numbers of roles, int64 ``[B]``; see `forward`.
        """
        title_ids, lengths = most_recent(title_ids, lengths, self.max_history)
        table_VE = self.title_table()
        embedded_BTE = self.embedding_dropout(F.embedding(title_ids, table_VE, padding_idx=0))
        if self.tie_weights:  # restore the scale that the layers get without tied weights
            embedded_BTE = embedded_BTE * self.embedding.embedding_dim**0.5
        roles_BTX = _with_changes(embedded_BTE) if self.title_changes else embedded_BTE
        state_BS = self.final_state(*self._from_the_start(roles_BTX, lengths))
        if self.skip_last_title:
            state_BS = torch.cat([state_BS, _at_last(embedded_BTE, lengths)], 1)
        tenure_B2, hireability_B1 = self.tenure_head(state_BS), self.hireability_head(state_BS)
        logits = self._classify(state_BS, table_VE, title_ids, lengths)
        if self.copy_head is not None:
            copied = self.copy_head(state_BS, embedded_BTE, title_ids, lengths)
            logits = logits._replace(**copied._asdict())
        return logits, tenure_B2, hireability_B1

    def _from_the_start(self, roles_BTX: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the input of the LSTM: the roles, preceded by the start vector if the model has one."""
        if self.start_vector is None:
            return roles_BTX, lengths
        start_B1X = self.start_vector.expand(roles_BTX.shape[0], 1, -1)
        return torch.cat([start_B1X, roles_BTX], 1), None if lengths is None else lengths + 1

    def _classify(
        self, state_BS: Tensor, table_VE: Tensor, title_ids: Tensor, lengths: Tensor | None
    ) -> FactoredLogits:
        hidden, relu, dropout, last = self.next_role_head
        assert isinstance(last, nn.Linear)
        hidden_BD = dropout(relu(hidden(state_BS)))
        stays_B1 = last_B1 = None
        if self.repeat_head is not None:
            last_B1 = _at_last(title_ids.unsqueeze(2), lengths).long()
            stays_B1 = self.repeat_head(state_BS) * (last_B1 > 0)  # an unknown title cannot be repeated
        if self.tie_weights:
            return FactoredLogits(last(hidden_BD), table_VE, self.tied_bias, stays_B1, last_B1)
        return FactoredLogits(hidden_BD, last.weight, last.bias, stays_B1, last_B1)

    def title_table(self) -> Tensor:
        """Return the title vectors ``[V, E]``, composed of words if the model is configured so."""
        return self.embedding.table() if isinstance(self.embedding, TitleVectors) else self.embedding.weight

    def titles_composed_once(self) -> AbstractContextManager[None]:
        """Return a context in which title vectors are composed only once; no weight may change in it."""
        return self.embedding.composed_once() if isinstance(self.embedding, TitleVectors) else nullcontext()

    def collapse(self) -> "CareerTrajectoryLSTM":
        """Replace composed title vectors by an equal plain table; predictions stay the same.

        Returns:
            This model. It can be exported, but no longer trained as before.
        """
        if isinstance(self.embedding, TitleVectors):
            self.embedding = nn.Embedding(
                self.vocab_size,
                self.embedding.embedding_dim,
                padding_idx=0,
                _weight=self.embedding.table().detach(),
            )
        return self

    def final_state(self, roles_BTX: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the forward and backward final states of the last layer, concatenated, ``[B, 2H]``."""
        if lengths is None:
            _, (hidden, _) = self.lstm(roles_BTX)
        elif torch.onnx.is_in_onnx_export():
            weights = [weight for direction in self.lstm.all_weights for weight in direction]
            state: Tensor = bilstm_final_state(roles_BTX, lengths, weights, self.hidden_dim, self.num_layers)
            return state
        else:
            packed = pack_padded_sequence(roles_BTX, lengths.cpu(), batch_first=True, enforce_sorted=False)
            _, (hidden, _) = self.lstm(packed)
        return torch.cat([hidden[-2], hidden[-1]], 1)


def _with_changes(embedded_BTE: Tensor) -> Tensor:
    """Concatenate each role's vector with its absolute difference to the previous one, ``[B, T, 2E]``.

    The difference is 0 for the first role. It has no sign, so that one weight can distinguish a repeated
    title from any other title.
    """
    before_BTE = torch.cat([embedded_BTE[:, :1], embedded_BTE[:, :-1]], 1)
    return torch.cat([embedded_BTE, (embedded_BTE - before_BTE).abs()], 2)


def _at_last(values_BTX: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the values at the last role of each career, ``[B, X]``."""
    if lengths is None:
        return values_BTX[:, -1]
    last_B11 = (lengths - 1).to(values_BTX.device)[:, None, None]
    return values_BTX.gather(1, last_B11.expand(-1, -1, values_BTX.shape[2])).squeeze(1)


@torch.library.custom_op("trajtune::bilstm_final_state", mutates_args=())
def bilstm_final_state(x: Tensor, lengths: Tensor, weights: list[Tensor], hidden: int, layers: int) -> Tensor:
    """Return the final states of a bidirectional LSTM over careers of different lengths.

    ``torch.export`` cannot capture ``pack_padded_sequence``. As one opaque operator, this function becomes
    native ONNX ``LSTM`` nodes.

    Args:
        x: Title vectors, float ``[B, T, E]``.
        lengths: Numbers of roles, int64 ``[B]``.
        weights: weight_ih, weight_hh, bias_ih, bias_hh of each layer, forward then backward.
        hidden: H.
        layers: L.

    Returns:
        The forward and backward final states of the last layer, ``[B, 2H]``.
    """
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    zeros = x.new_zeros(2 * layers, x.shape[0], hidden)
    _, state, _ = torch.ops.aten.lstm.data(
        packed.data, packed.batch_sizes, [zeros, zeros], weights, True, layers, 0.0, False, True
    )
    state = state.index_select(1, packed.unsorted_indices)
    return torch.cat([state[-2], state[-1]], 1)


@bilstm_final_state.register_fake
def _(x: Tensor, lengths: Tensor, weights: list[Tensor], hidden: int, layers: int) -> Tensor:
    return x.new_empty(x.shape[0], 2 * hidden)
