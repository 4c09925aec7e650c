"""Training steps with a sampled softmax that compute only with the titles in use, for large vocabularies.

A step reads the titles of its careers, their targets and the sampled titles. Here it gets a model with only
these rows of the title tables. `LazyAdamW` changes the other rows later, as the optimizer would have.
"""

# B examples, T roles, V titles, R titles in use

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from trajtune.experiment.params import Params
from trajtune.model.batches import Batch
from trajtune.model.data_parallel import Workers
from trajtune.model.fast.lazy_adamw import LazyAdamW, RowsInUse
from trajtune.model.fast.sampled_softmax import DrawnTitles, sample_titles
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.network.title_vectors import TitleVectors
from trajtune.model.training.training_loss import training_loss

MIN_TITLES: Final = 30_000
"""Size of the vocabulary from which gathering the rows costs less than a pass over all of them."""


class TitlesInUse:
    """The steps of one epoch; `finish` brings the title tables up to date.

    Args:
        model: Model on the CPU; its title tables get no gradient.
        optimizer: Optimizer of the model's parameters.
        params: Params with ``softmax_samples``.
        num_steps: Number of steps of the epoch.
    """

    def __init__(
        self,
        model: CareerTrajectoryLSTM,
        optimizer: torch.optim.Optimizer,
        params: Params,
        num_steps: int,
    ) -> None:
        self._model, self._params = model, params
        self._scores = _Scores(model)
        weights = dict(model.named_parameters())
        names = ["embedding.weight"] + ([] if params.tie_weights else ["next_role_head.3.weight"])
        self._tables = {name: LazyAdamW(optimizer, weights[name], num_steps) for name in names}
        self._bias = "tied_bias" if params.tie_weights else "next_role_head.3.bias"
        self._used: dict[str, RowsInUse] = {}

    @staticmethod
    def suits(model: CareerTrajectoryLSTM, params: Params, workers: Workers) -> bool:
        """Return whether steps with only the titles in use are possible and faster."""
        is_on_cpu = model.tenure_mean.device.type == "cpu"
        is_large = model.vocab_size >= MIN_TITLES
        return params.softmax_samples > 0 and is_large and is_on_cpu and workers.size == 1

    def loss(self, batch: Batch) -> Tensor:
        """Return the training loss of a batch; after its backward pass, `step` must follow."""
        model = self._model
        drawn_S, log_chance_S = sample_titles(
            model.vocab_size, self._params.softmax_samples, batch.next_title.device
        )
        title_ids = batch.title_ids.long()
        named = [drawn_S.new_zeros(1), title_ids.flatten(), batch.next_title, drawn_S]
        rows_R = torch.unique(torch.cat(named))
        self._used = {name: table.use(rows_R) for name, table in self._tables.items()}
        in_use = {name: used.weights for name, used in self._used.items()}
        in_use[self._bias] = model.get_parameter(self._bias)[rows_R]
        if isinstance(model.embedding, TitleVectors):
            in_use |= _words(model.embedding, rows_R)
        arguments = torch.searchsorted(rows_R, title_ids), batch.lengths
        scores = functional_call(
            self._scores, {f"model.{name}": each for name, each in in_use.items()}, arguments
        )
        return training_loss(
            scores,
            torch.searchsorted(rows_R, batch.next_title),
            (batch.tenure_months - model.tenure_mean) / model.tenure_std,
            batch.hireable,
            self._params,
            batch.weight,
            batch.hireable_weight,
            DrawnTitles(torch.searchsorted(rows_R, drawn_S), log_chance_S),
        )

    def step(self) -> None:
        """Take a step in the rows in use, with the optimizer's present learning rate."""
        for name, table in self._tables.items():
            table.step(self._used[name])

    def finish(self) -> None:
        """Bring all rows of the tables and their state in the optimizer up to date."""
        for table in self._tables.values():
            table.finish()


class _Scores(nn.Module):
    """A module that returns the scores of a model, for `functional_call`."""

    def __init__(self, model: CareerTrajectoryLSTM) -> None:
        super().__init__()
        self.model = model

    def forward(self, title_ids: Tensor, lengths: Tensor | None) -> Any:
        return self.model.scores(title_ids, lengths)


def _words(embedding: TitleVectors, rows_R: Tensor) -> dict[str, Tensor]:
    """Return the words of the titles in use, by the names of the model's buffers."""
    begin_R, end_R = embedding.offsets[rows_R], embedding.offsets[rows_R + 1]
    num_R = end_R - begin_R
    offsets = torch.cat([num_R.new_zeros(1), num_R.cumsum(0)])
    # The position of each word: its place in its title, after the title's begin.
    shift_R = begin_R - offsets[:-1]
    positions = torch.arange(int(offsets[-1])) + torch.repeat_interleave(shift_R, num_R)
    return {"embedding.word_ids": embedding.word_ids[positions], "embedding.offsets": offsets}
