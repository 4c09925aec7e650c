"""`trajtune compare`: two runs by val, two bundles by test."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import trajtune  # noqa: F401 - a fixture
from tests.cli.running import Trajtune, assert_one_line
from tests.support.finalized import earlier_bundle, searched
from trajtune import compare, load_bundle
from trajtune.bundle.manifest import MANIFEST, TEST_PEOPLE, read_manifest
from trajtune.bundle.people import TestPeople, read_test_people, write_test_people
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import BundleError, RunError
from trajtune.experiment.params import Params
from trajtune.searching.runs.directory import Run
from trajtune.storage.hashes import file_sha256


@pytest.fixture
def changed(finalized: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the bundle with other people of test, or another snapshot."""

    def copy(people: TestPeople, **manifest: object) -> Path:
        folder = Path(shutil.copytree(finalized, tmp_path / f"other{len(list(tmp_path.iterdir()))}"))
        write_test_people(people, folder / TEST_PEOPLE)
        content = {**read_manifest(folder), **manifest}
        content["files"][TEST_PEOPLE] = file_sha256(folder / TEST_PEOPLE)
        (folder / MANIFEST).write_text(json.dumps(content))
        return folder

    return copy


def people_of(bundle: Path) -> TestPeople:
    found = read_test_people(bundle, read_manifest(bundle))
    assert found is not None
    return found


def test_two_runs_differ_in_params_and_val_metrics(
    searched_run: Run, changing_snapshot: Snapshot, ladder_snapshot: Snapshot, tmp_path: Path
) -> None:
    other = searched(tmp_path, changing_snapshot, [Params(hidden_dim=32, learning_rate=5e-3)])
    found = compare(searched_run, str(other.path))
    assert found.kind == "run"
    assert {row.name: (row.first, row.second) for row in found.params}["hidden_dim"] == (16, 32)
    assert "learning_rate" not in {row.name for row in found.params}
    assert found.val[0].name == "val_next_role_nll"
    assert found.test == ()
    assert found.reason is None
    elsewhere = searched(tmp_path / "other", ladder_snapshot, [])
    assert "different snapshots" in str(compare(searched_run, elsewhere).reason)
    assert "hidden_dim" in found._repr_html_()
    assert repr(found).startswith("<Comparison of the runs searched and searched: ")


def test_two_bundles_of_one_snapshot_have_paired_intervals(
    finalized: Path, changed: Callable[..., Path]
) -> None:
    own = people_of(finalized)
    better = changed(TestPeople(own.rank, own.nll - np.linspace(0, 0.2, len(own.nll))))
    found = compare(load_bundle(finalized), better)
    test = {row.name: row for row in found.test}
    gain = test["next_role_nll"].gain
    assert gain is not None
    known = own.rank > 0
    assert gain["gain"] == pytest.approx(np.linspace(0, 0.2, len(known))[known].mean(), abs=1e-6)
    assert 0 < gain["low"] < gain["gain"] < gain["high"]
    assert (test["next_role_top1"].gain or {})["gain"] == 0
    assert test["ece"].gain is None
    assert found.reason is None
    backwards = compare(better, finalized).test[0].gain
    assert backwards is not None
    assert backwards["gain"] == pytest.approx(-gain["gain"])


def test_intervals_that_cannot_be_given_have_a_reason(
    finalized: Path, changed: Callable[..., Path], tmp_path: Path
) -> None:
    own = people_of(finalized)
    found = compare(finalized, earlier_bundle(finalized, tmp_path / "earlier"))
    assert "holds no results by person, so there are no intervals" in str(found.reason)
    assert all(row.gain is None for row in found.test)
    assert [row.first for row in found.test] == [row.second for row in found.test]
    assert "their test splits differ" in str(compare(finalized, changed(own, snapshot="0" * 64)).reason)
    with pytest.raises(BundleError, match="must have the same test people, but have"):
        compare(finalized, changed(TestPeople(own.rank[1:], own.nll[1:])))


def test_a_run_and_a_bundle_or_neither_are_refused(
    finalized: Path, searched_run: Run, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="is a run and .* is a bundle. Give two of a kind"):
        compare(searched_run, finalized)
    with pytest.raises(RunError, match="is neither a run nor a bundle"):
        compare(finalized, tmp_path)


def test_the_command_prints_tables_json_and_a_page(
    trajtune: Trajtune,  # noqa: F811
    finalized: Path,
    changed: Callable[..., Path],
    tmp_path: Path,
) -> None:
    own = people_of(finalized)
    other = changed(TestPeople(np.maximum(own.rank - 1, np.minimum(own.rank, 1)), own.nll))
    outcome = trajtune("compare", str(finalized), str(other), "--html", "page.html")
    assert outcome.code == 0, outcome.err
    for said in ("Params: the same", "On val", "On test", "next_role_top5", "gain of the second (95 %)"):
        assert said in outcome.out
    page = (tmp_path / "page.html").read_text("utf-8")
    for unit in ("percentage points", "nats", "mean reciprocal rank"):
        assert f'"text":"gain of the second, {unit}"' in page, "each unit has its own axis"
    assert "next_role_mrr" in page
    assert re.search(r"<td>[+-][0-9.]+ points \([+-]", page), "a gain of a share is in percentage points"
    assert re.search(r'data-order="[0-9.]+">[0-9.]+ nats</td>', page), "metrics sort by their numbers"
    content = json.loads(trajtune("compare", str(finalized), str(other), "--json").out)
    assert content["names"] == [str(finalized), str(other)]
    assert {row["name"]: row["gain"] for row in content["test"]}["next_role_top5"]["gain"] >= 0
    assert_one_line(trajtune("compare", str(finalized), "no_such"), "RunError", "No run no_such")
