"""What a bundle holds of each person of test."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.finalized import earlier_bundle
from trajtune.bundle.manifest import TEST_PEOPLE, read_manifest
from trajtune.bundle.people import TestPeople, read_test_people, write_test_people
from trajtune.errors import BundleError
from trajtune.storage.hashes import file_sha256


def test_the_same_people_give_the_same_bytes_and_are_read_back(tmp_path: Path) -> None:
    people = TestPeople(np.array([1, 0, 7], np.int32), np.array([0.5, np.nan, 3.25]))
    for name in ("a", TEST_PEOPLE):
        write_test_people(people, tmp_path / f"{name.removesuffix('.npz')}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / TEST_PEOPLE).read_bytes()
    manifest = {"files": {TEST_PEOPLE: file_sha256(tmp_path / TEST_PEOPLE)}}
    found = read_test_people(tmp_path, manifest)
    assert found is not None
    np.testing.assert_array_equal(found.rank, people.rank)
    np.testing.assert_array_equal(found.nll, people.nll)
    scores = found.scores()
    np.testing.assert_array_equal(scores["top1"], [1, 0, 0])
    np.testing.assert_array_equal(scores["top5"], [1, 0, 0])
    np.testing.assert_allclose(scores["mrr"], [1, 0, 1 / 7])
    np.testing.assert_array_equal(scores["nll"], [0.5, np.nan, 3.25])


def test_its_means_are_the_metrics_of_test(finalized: Path) -> None:
    people = read_test_people(finalized, read_manifest(finalized))
    assert people is not None
    test = json.loads((finalized / "metrics.json").read_text())["test"]
    assert len(people.rank) == test["num_examples"]
    for name, values in people.scores().items():
        assert np.nanmean(values) == pytest.approx(test[f"next_role_{name}"], rel=1e-6)


def test_an_earlier_bundle_has_none_and_a_damaged_one_is_named(finalized: Path, tmp_path: Path) -> None:
    earlier = earlier_bundle(finalized, tmp_path / "earlier")
    assert read_test_people(earlier, read_manifest(earlier)) is None
    (earlier / TEST_PEOPLE).write_bytes(b"no zip")
    damaged = {"files": {TEST_PEOPLE: file_sha256(earlier / TEST_PEOPLE)}}
    with pytest.raises(BundleError, match="test_people.npz cannot be read"):
        read_test_people(earlier, damaged)
    with pytest.raises(BundleError, match="is not the file that was written"):
        read_test_people(earlier, {"files": {TEST_PEOPLE: "0"}})
