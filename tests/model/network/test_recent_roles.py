from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.model.conftest import OPTIONS, SMALL, plain
from trajtune.dataset.arrays import CareerArrays, Examples, examples_of, last_roles
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.model.batches import create_dataloaders, outcome_batches
from trajtune.model.checkpoint import averaged, build_model, new_model
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.network.recent_roles import most_recent
from trajtune.model.network.title_words import TitleWords
from trajtune.model.predict import predict, top_probabilities
from trajtune.model.training.fit import fit


def limited(params: Params, max_history: int) -> Params:
    return params.model_copy(update={"max_history": max_history})


def test_the_last_roles_of_each_career_are_kept() -> None:
    ids = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 9, 9], [1, 9, 9, 9, 9]])
    recent, lengths = most_recent(ids, torch.tensor([5, 3, 1]), 3)
    assert lengths is not None
    assert lengths.tolist() == [3, 3, 1]
    assert [row[:n].tolist() for row, n in zip(recent, lengths, strict=True)] == [[3, 4, 5], [6, 7, 8], [1]]
    recent, lengths = most_recent(ids, None, 3)
    assert (recent[:, -1].tolist(), recent.shape[1], lengths) == ([5, 9, 9], 3, None)


@pytest.mark.parametrize("max_history", [0, 5, 64])
def test_careers_within_the_limit_stay_the_same_tensor(max_history: int) -> None:
    ids, lengths = torch.tensor([[1, 2, 3, 4, 5]]), torch.tensor([4])
    assert most_recent(ids, lengths, max_history) == (ids, lengths)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options))
def test_a_model_reads_only_the_most_recent_roles(options: dict, vocab_size: int, words: TitleWords) -> None:
    params = plain(embedding_dim=16, hidden_dim=8, max_history=4, **options)
    torch.manual_seed(0)
    model = new_model(params, vocab_size, words if params.title_vectors == "id_and_words" else None).eval()
    ids = torch.randint(0, vocab_size, (5, 9))
    lengths = torch.tensor([9, 6, 5, 4, 2])
    with torch.inference_mode():
        together = model(ids, lengths)
        for row, length in enumerate(lengths.tolist()):
            recent = ids[row : row + 1, max(0, length - 4) : length]
            for whole, alone in zip(together, model(recent), strict=True):
                torch.testing.assert_close(whole[row : row + 1], alone, rtol=1e-5, atol=1e-6)


def test_predictions_of_careers_within_the_limit_are_the_same_bytes_as_without(
    val: CareerArrays, vocab_size: int
) -> None:
    torch.manual_seed(0)
    model = new_model(SMALL.model_copy(update={"copy_head": True}), vocab_size).eval()
    examples = examples_of(val, "every_transition")
    longest = int(examples.length.max())
    results = []
    for model.max_history in (0, longest, 64):
        results.append((predict(model, val, examples), top_probabilities(model, val, examples, 3)))
    for found, top in results[1:]:
        assert found.nll.tobytes() == results[0][0].nll.tobytes()
        assert found.tenure.tobytes() == results[0][0].tenure.tobytes()
        assert top.tobytes() == results[0][1].tobytes()


def test_training_and_prediction_do_not_depend_on_roles_beyond_the_limit(
    careers: Callable[..., CareerArrays], vocab_size: int
) -> None:
    train, val = careers(60, seed=0, most_roles=9), careers(30, seed=1, most_roles=9)
    params = limited(SMALL, 3).model_copy(update={"examples": "last", "max_epochs": 2})

    def with_other_early_roles(arrays: CareerArrays) -> CareerArrays:
        ids = arrays.title_ids.copy()
        end = np.repeat(arrays.offsets[1:], np.diff(arrays.offsets))
        early = np.arange(len(ids)) < end - 4  # the last role is the target
        ids[early] = (ids[early] + 1) % vocab_size
        assert early.sum() > 50
        return replace(arrays, title_ids=ids)

    both = []
    for own_train, own_val in (
        (train, val),
        (with_other_early_roles(train), with_other_early_roles(val)),
    ):
        *_, result = fit(params, own_train, own_val, vocab_size, seed=0)
        both.append((result.train_loss, result.metrics))
    assert both[0] == both[1]


def long_careers(*num_roles: int) -> CareerArrays:
    """Return careers with the given numbers of roles."""
    random = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(num_roles)]).astype(np.int64)
    num = int(offsets[-1])
    months = random.lognormal(2, 1, num).astype(np.float32)
    ids = random.integers(1, 10, num).astype(np.int32)
    hireable = (months > 12).astype(np.float32)
    days = np.arange(num, dtype=np.int32)
    return CareerArrays(ids, offsets, months, months, hireable, days, last_roles(offsets))


def cells_of_an_epoch(params: Params, train: CareerArrays) -> int:
    """Return the title ids of all batches of an epoch, with padding: what an epoch costs."""
    loader, val_loader = create_dataloaders(params, train, train, 10, seed=0)
    outcomes = outcome_batches(val_loader)
    assert max(batch.title_ids.shape[1] for batch in outcomes) <= (params.max_history or 10**9)
    return sum(batch.title_ids.numel() for batch in loader)


def test_a_career_of_a_thousand_roles_costs_no_quadratic_epoch() -> None:
    many, one = long_careers(*[10] * 100), long_careers(1000)
    unlimited, default = (Params(max_history=limit) for limit in (0, Params().max_history))
    assert cells_of_an_epoch(unlimited, one) > 999 * 1000 / 2, "one example for each prefix"
    assert cells_of_an_epoch(default, one) <= 999 * 64
    # Twice the roles cost about twice as much, and short careers cost the same as without the limit.
    assert cells_of_an_epoch(default, long_careers(2000)) <= 2.1 * cells_of_an_epoch(default, one)
    assert cells_of_an_epoch(default, many) == cells_of_an_epoch(unlimited, many)


def test_limited_examples_have_the_same_targets() -> None:
    examples = examples_of(long_careers(5, 2, 9), "every_transition")
    assert examples.most_recent(0) is examples
    recent = examples.most_recent(3)
    np.testing.assert_array_equal(recent.target, examples.target)
    np.testing.assert_array_equal(recent.length, np.minimum(examples.length, 3))
    assert len(Examples(recent.start[:0], recent.length[:0]).most_recent(3)) == 0


def test_the_default_is_64_roles_and_older_checkpoints_read_all() -> None:
    assert (Params().max_history, RESEARCH_DEFAULT.max_history) == (64, 0)
    recorded = Params().model_dump(mode="json")
    del recorded["max_history"]
    assert Params.model_validate(recorded).max_history == 0
    assert Params.model_validate({"dropout": 0.2}).max_history == 64


def state_of(max_history: int, seed: int) -> dict:
    params = limited(SMALL, max_history)
    torch.manual_seed(seed)
    model = new_model(params, 10)
    return {"params": params.model_dump(mode="json"), "vocab_size": 10, "model": model.state_dict()}


@pytest.mark.parametrize("limits", [(3, 3), (3, 5), (0, 3), (0, 0)])
def test_a_mean_of_networks_reads_what_each_of_them_reads(limits: tuple[int, int]) -> None:
    states = [state_of(limit, seed) for seed, limit in enumerate(limits)]
    model = build_model(averaged(states))
    assert model.max_history == (limits[0] if len(set(limits)) == 1 else 0)
    arrays = long_careers(2, 5, 9, 12)
    examples = examples_of(arrays, "last")
    found = top_probabilities(model, arrays, examples, 9)
    alone = []
    for state in states:
        member = build_model(state)
        assert isinstance(member, CareerTrajectoryLSTM)
        ids = [arrays.title_ids[a : a + n] for a, n in zip(examples.start, examples.length, strict=True)]
        with torch.inference_mode():
            rows = [member(torch.from_numpy(each[-member.max_history :])[None])[0] for each in ids]
        alone.append(torch.softmax(torch.cat(rows).double(), 1))
    mean = torch.stack(alone).mean(0).sort(1, descending=True).values[:, :9]
    np.testing.assert_allclose(found, mean.numpy(), rtol=1e-5)
