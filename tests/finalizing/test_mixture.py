"""The mixture of networks and n-gram: its weight, its state and its components."""

from pathlib import Path

import numpy as np
import pytest
import torch

from trajtune.dataset.arrays import examples_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.params import Params
from trajtune.finalizing.mixture import Mixture, best_share, val_losses
from trajtune.finalizing.selection import Finalist, Refit
from trajtune.model.baselines.ngram import MAX_PAIRS, exportable, ngram
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.checkpoint import averaged, build_model, load_checkpoint, save_checkpoint
from trajtune.model.network.title_words import words_of
from trajtune.model.predict import predict
from trajtune.model.predictions import Predictions
from trajtune.model.training.fit import fit

CHOICE = NGramChoice(2, "all", 20.0, 0.5, 0.15)


def test_the_share_minimises_the_log_loss() -> None:
    random = np.random.default_rng(0)
    p, q = random.random(200), random.random(200)

    share = best_share(-np.log(p), -np.log(q))

    losses = {w: -np.log((1 - w) * p + w * q).mean() for w in np.linspace(0, 1, 101).round(2)}
    assert losses[share] == min(losses.values())


@pytest.mark.parametrize(
    ("network", "counts", "expected"),
    [([0.9, 0.8], [0.1, 0.2], 0.0), ([0.1, 0.2], [0.9, 0.8], 0.98), ([float("nan")] * 2, [0.5, 0.5], 0.0)],
    ids=["the network is always better", "counting is always better", "nobody moved to a known title"],
)
def test_the_share_is_limited_at_both_ends(
    network: list[float], counts: list[float], expected: float
) -> None:
    assert best_share(-np.log(network), -np.log(counts)) == expected


@pytest.fixture(scope="module")
def networks(changing_snapshot: Snapshot) -> list[dict]:
    encoder = changing_snapshot.encoder()
    train, val = (changing_snapshot.read(split).arrays for split in ("train", "val"))
    params = Params(embedding_dim=8, hidden_dim=4, num_layers=1, max_epochs=1, batch_size=256)
    return [
        next(
            fit(params, train, val, encoder.vocab_size, seed=seed, title_words=words_of(encoder))
        ).checkpoint()
        for seed in (1, 2)
    ]


def test_a_mixture_is_the_weighted_mean_of_networks_and_counts(
    changing_snapshot: Snapshot, networks: list[dict], tmp_path: Path
) -> None:
    train, val = (changing_snapshot.read(split).arrays for split in ("train", "val"))
    examples = examples_of(val, "last")
    save_checkpoint(Mixture(CHOICE, 0.3).state(networks, train), tmp_path / "best.pt")
    model = build_model(load_checkpoint(tmp_path / "best.pt"))

    mixed = predict(model, val, examples)

    alone = [predict(build_model(state), val, examples) for state in networks]
    counts = ngram(train, networks[0]["vocab_size"], CHOICE).predict(val, examples)
    expected = 0.35 * sum(np.exp(-one.nll) for one in alone) + 0.3 * np.exp(-counts.nll)
    assert np.allclose(np.exp(-mixed.nll), expected, atol=1e-5)
    assert np.allclose(mixed.tenure, (alone[0].tenure + alone[1].tenure) / 2, rtol=1e-5)
    assert np.allclose(mixed.hireability, (alone[0].hireability + alone[1].hireability) / 2, rtol=1e-5)


def test_on_val_the_mixture_is_at_least_as_good_as_its_parts(
    changing_snapshot: Snapshot, networks: list[dict], tmp_path: Path
) -> None:
    train, val = (changing_snapshot.read(split).arrays for split in ("train", "val"))
    examples = examples_of(val, "last")

    refits = []
    for state in networks:
        path = tmp_path / f"{state['seed']}.pt"
        save_checkpoint(state, path)
        refits.append(Refit(Finalist("trial 1", Params(), None), state["seed"], path, 1, {}, None))
    share, losses = val_losses(refits, CHOICE, changing_snapshot).mixed(refits)
    mixture = Mixture(CHOICE, share)

    def nll(predictions: Predictions) -> float:
        return float(np.nanmean(predictions.nll))

    mixed = nll(predict(build_model(mixture.state(networks, train)), val, examples))
    assert mixed == pytest.approx(np.nanmean(losses), abs=1e-5)
    assert mixed <= nll(predict(build_model(averaged(networks)), val, examples)) + 1e-6
    # Networks trained for one epoch are so poor that the n-gram's weight reaches its maximum of 98 %.
    counts = nll(ngram(train, networks[0]["vocab_size"], CHOICE).predict(val, examples))
    assert mixed <= counts - np.log(0.98)


def test_without_a_share_the_state_is_that_of_the_networks(
    changing_snapshot: Snapshot, networks: list[dict]
) -> None:
    state = Mixture(CHOICE, 0.0).state(networks[:1], changing_snapshot.read("train").arrays)

    assert "members" not in state
    assert torch.equal(state["model"]["embedding.weight"], networks[0]["model"]["embedding.weight"])


def test_contexts_that_are_too_large_for_a_graph_are_left_out(
    changing_snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, vocab_size = changing_snapshot.read("train").arrays, changing_snapshot.encoder().vocab_size
    whole = exportable(train, vocab_size, CHOICE)
    assert sum(len(level["mass"]) for level in whole["levels"]) <= MAX_PAIRS

    monkeypatch.setattr("trajtune.model.baselines.ngram.MAX_PAIRS", 3)

    assert [len(state["levels"]) for state in (whole, exportable(train, vocab_size, CHOICE))] == [3, 2]
