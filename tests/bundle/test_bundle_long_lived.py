"""A bundle in a server or in workers: bounded memory, whatever it is asked, and copies by pickling."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.finalized import renamed
from trajtune.bundle import bundle as bundle_module
from trajtune.bundle.bundle import CELLS, Bundle, load_bundle
from trajtune.bundle.explain import explain
from trajtune.errors import BundleError


@pytest.fixture
def bundle(finalized: Path) -> Bundle:
    return load_bundle(finalized)


@pytest.fixture
def sizes(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many roles, with padding, each batch of the graph had."""
    found, run = [], bundle.graph.run

    def watched(title_ids: Any, *others: Any) -> Any:
        found.append(title_ids.size)
        return run(title_ids, *others)

    monkeypatch.setattr(bundle.graph, "run", watched)
    return found


def test_many_long_careers_are_predicted_in_small_batches(bundle: Bundle, sizes: list[int]) -> None:
    titles = list(bundle.encoder.idx_to_title.values())[1:]
    careers = [[titles[(i + j) % len(titles)] for j in range(400 + i)] for i in range(40)]
    careers += [[title] for title in titles] + [titles * 200]
    together = bundle.predict(careers)
    assert len(sizes) > 10
    assert sorted(sizes)[-2] <= CELLS < sizes[-1] == len(careers[-1])
    for place in (0, 39, 40, -1):
        (alone,) = bundle.predict([careers[place]])
        assert alone.next_role == together[place].next_role
        assert alone.tenure_max_months == pytest.approx(together[place].tenure_max_months, abs=1e-3)


def test_a_long_career_is_explained_in_small_batches(bundle: Bundle, sizes: list[int]) -> None:
    career = ["Jr. Nurse", "Sr. Nurse", "Lead Nurse"] * 50
    explained = explain(bundle, career)
    assert len(sizes) > 3
    assert max(sizes) <= CELLS
    assert len(explained.contributions) == len(career)
    shorter = bundle.run([bundle.encode(career[:-1])])
    if shorter["top5_ids"][0, 0] == bundle.encoder.encode(explained.prediction.next_role):
        last = explained.contributions[-1].without
        assert last == pytest.approx(shorter["top5_probabilities"][0, 0], rel=1e-4)


def test_a_pickled_bundle_answers_the_same_also_without_its_files(finalized: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    opened = load_bundle(copy, as_service=True)
    careers = [["Jr. Nurse", "Sr. Nurse"], ["Quidditch Keeper"]]
    before = opened.predict(careers)
    stored = pickle.dumps(opened)
    shutil.rmtree(copy)
    again = pickle.loads(pickle.dumps(pickle.loads(stored)))
    assert again.predict(careers) == before
    assert again.as_service


def test_no_more_titles_are_remembered_than_fit_and_the_answers_stay(
    finalized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = renamed(finalized, tmp_path / "bundle", ["C++", "C", "工程师"])
    career = ["C", "工程师", "C#", "Nobody", "N" * 1000]
    (expected,) = load_bundle(path).predict([career])
    monkeypatch.setattr(bundle_module, "_CACHE_SIZE", 1)
    opened = load_bundle(path)
    for _ in range(2):
        (found,) = opened.predict([career])
        assert (found.service_sees, found.unknown_titles) == (expected.service_sees, expected.unknown_titles)
    assert list(opened._ids) == ["C"]


def test_a_very_long_title_is_not_remembered(bundle: Bundle) -> None:
    assert bundle.encode(["Nurse " * 1000]) == [0]
    assert not bundle._ids


def test_half_of_a_surrogate_pair_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"Career 2 has the title '\\ud800', which is not valid Unicode"):
        bundle.predict([["Nurse"], ["\ud800"]])


def test_no_career_gives_no_prediction(bundle: Bundle) -> None:
    assert bundle.predict([]) == []
    assert np.array_equal(bundle.run([])["tenure_pred"], np.empty(0))
