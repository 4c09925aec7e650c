"""The benchmarks' peers by hand arithmetic, and the tables of real careers and of the ablation."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import classifier_peers
from benchmarks.ablation import variants, way_to
from benchmarks.early_stopping import random_points, replayed
from benchmarks.ngram_peer import Fold, Moves, backed_off, copies, count, mixed_with_copy
from benchmarks.peers import WITHOUT_BAR, over_titles, peers
from benchmarks.real import BEST_BASELINE, GATE, summary
from benchmarks.real_sets import SETS, experiment_of
from benchmarks.rows import result
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.model.metrics import next_role


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in Path(classifier_peers.__file__).parent.glob("*.py"))
)
def test_every_benchmark_can_be_imported(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")


def moves(careers: list[list[int]], years: list[list[float]] | None = None) -> Moves:
    ids = np.array([title for career in careers for title in career], np.int32)
    nothing = np.full(len(ids), np.nan, np.float32)
    began = np.concatenate(years) if years else np.zeros(len(ids))
    offsets = np.cumsum([0, *map(len, careers)])
    arrays = CareerArrays(ids, offsets, nothing, nothing, nothing, (began * 365.25).astype(np.int32), ids < 0)
    return Moves(arrays, examples_of(arrays, "last"), 4)


def test_the_ngram_backs_off_as_calculated_by_hand() -> None:
    counts = count(moves([[1, 2], [1, 2], [1, 3]]), None)
    _, first = backed_off(counts, moves([[1, 2]]), 1.0, 1)
    # Order 0: 2/5 of uniform, 2/5 for title 2, 1/5 for title 3; order 1 the same, from order 0.
    zeroth = np.array([0, 2 / 15, 2 / 15 + 2 / 5, 2 / 15 + 1 / 5])
    np.testing.assert_allclose(first[0], 2 / 5 * zeroth + [0, 0, 2 / 5, 1 / 5])


def test_the_ngram_tells_the_start_of_a_career_from_an_unknown_title() -> None:
    counts = count(moves([[1, 2], [0, 1, 3]]), None)
    *_, second = backed_off(counts, moves([[1, 0], [0, 1, 0]]), 1.0, 2)
    assert second.argmax(1).tolist() == [2, 3]


def test_an_older_move_counts_by_its_half_life() -> None:
    counts = count(moves([[1, 2], [1, 3]], [[0, 10], [0, 20]]), 5.0)
    assert counts[1][(1,)][3] == 1
    assert counts[1][(1,)][2] == pytest.approx(0.25, rel=1e-3)


def test_earlier_titles_are_copied_with_the_newest_most_likely() -> None:
    asked = moves([[3, 1, 2, 0], [1, 2]])
    np.testing.assert_allclose(copies(asked)[0], [0, 1 / 1.7, 0, 0.7 / 1.7])
    mixed = mixed_with_copy(np.full((2, 4), 0.25), copies(asked), 0.5)
    np.testing.assert_allclose(mixed.sum(1), 1)
    np.testing.assert_allclose(mixed[1], 0.25)


def test_the_class_of_other_titles_is_divided_as_the_ngram_divides_them() -> None:
    spread = over_titles(np.array([[0.4, 0.6]]), np.array([0, 2]), np.array([[0, 0.3, 0.6, 0.1]]))
    np.testing.assert_allclose(spread, [[0, 0.3, 0.6, 0.1]])


def test_every_peer_beats_the_uniform_distribution(
    ladder_snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier_peers, "ROUNDS", (2,))
    train, val = (ladder_snapshot.read(split).arrays for split in ("train", "val"))
    fold = Fold(train, Moves(val, examples_of(val, "last"), ladder_snapshot.encoder().vocab_size))
    found = peers(fold, fold)
    assert set(found) == {"n-gram + copy", "softmax regression", "boosting", WITHOUT_BAR}
    for peer in found.values():
        nll = next_role(peer.predictions)["nll"]
        assert nll is not None
        assert nll < 0.7 * np.log(fold.predicted.vocab_size)


def test_a_variant_differs_from_the_defaults_in_one_option() -> None:
    defaults = Params().model_dump()
    (first, research), *others = variants()
    assert (first, research) == ("research default", RESEARCH_DEFAULT)
    changed = [sum(params.model_dump()[key] != defaults[key] for key in defaults) for _, params in others]
    assert changed == [0, *[1] * (len(others) - 1)]
    assert len({name for name, _ in others}) == len(others)
    assert list(way_to(Params()))[-1][1] == Params()


def test_targets_over_all_sets_need_all_sets() -> None:
    def rows_of(name: str, low: float, gate: float) -> list[dict[str, object]]:
        measured = (result(BEST_BASELINE, low, "nats"), result(GATE, gate, "passed"))
        return [{"set": name, **row} for row in measured]

    rows = [row for number, name in enumerate(SETS) for row in rows_of(name, 0.1 if number < 5 else -0.1, 1)]
    assert [row["passed"] for row in summary(rows)] == [None, True, True, True]
    assert [row["passed"] for row in summary(rows[2:])] == [None, None, None, True]
    assert [row["value"] for row in summary(rows[2:])] == [7, 4, 7, 0]


def test_every_real_set_is_an_experiment(real_data: Path, tmp_path: Path) -> None:
    for name in SETS:
        source = experiment_of(name, tmp_path).source
        assert source.kind == "simulated" or Path(source.path).is_file()  # type: ignore[union-attr]
    members = map(json.loads, (tmp_path / "us_congress.jsonl").read_text("utf-8").splitlines())
    assert len({role["title"] for member in members for role in member["roles"]}) == 106


def test_early_stopping_is_replayed_as_a_search_does_it() -> None:
    content = {
        "training": {"max_epochs": 5},
        "search": {"pruner": {"grace_period": 2, "reduction_factor": 2}},
    }
    experiment = validate(Experiment, content, "test")
    curves = [
        [5.0, 4.0, 3.9, 3.8, 3.7],
        [5.0, 4.5, 4.0, 3.0, 2.9],  # worse than the first at epoch 2, the only rung before 4: stopped
        [5.0, 3.5, 3.4, 3.3, 3.2],  # continues at 2 and 4
        [5.0, 3.4, 3.5, 3.6, 3.7],  # continues at 2, stopped at 4
    ]
    replay = replayed(curves, experiment)
    assert replay.stopped == 2
    assert replay.epochs == (5 + 2 + 5 + 4) / 20
    assert replay.loss == pytest.approx(3.2 - 2.9), "the best trial was stopped"
    kept = replayed([curves[0], curves[2]], experiment)
    assert (kept.stopped, kept.loss, kept.epochs) == (0, 0.0, 1.0)


def test_the_points_of_early_stopping_are_random_draws_from_the_space() -> None:
    space = load_space("around_default")
    points = random_points(space, Params(), 5, seed=0)
    assert [space.outside(params) for params in points] == [[]] * 5
    assert len({params.learning_rate for params in points}) == 5
    assert points == random_points(space, Params(), 5, seed=0)
