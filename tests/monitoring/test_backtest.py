"""A whole backtest of a small run: what it writes, that test stays closed, and that it continues."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from trajtune.dataset.snapshot import LEDGER, open_snapshot
from trajtune.dataset.test_split import openings
from trajtune.errors import TrajtuneError
from trajtune.finalizing.report.over_time import RESULT
from trajtune.monitoring import backtest as module
from trajtune.monitoring.backtest import PAGE, backtest
from trajtune.monitoring.backtest_report import terminal_table
from trajtune.searching.runs.directory import Run, open_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(searched_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of a finished search."""
    folder = tmp_path_factory.mktemp("backtested") / "searched"
    return open_run(shutil.copytree(Path(str(searched_run.path)), folder))


@pytest.fixture(scope="module")
def without_test(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run's snapshot in which there is no test split, and no record of an opening."""
    copy = tmp_path_factory.mktemp("without") / "snapshot"
    shutil.copytree(Path(str(run.snapshot_path)), copy)
    shutil.rmtree(copy / "test")
    shutil.rmtree(copy / "refit" / "test")
    (copy / LEDGER).unlink(missing_ok=True)
    return copy


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def result(ray_local: None, run: Run, without_test: Path, told: list[str]) -> dict[str, Any]:
    found, folder = backtest(run, origins=2, snapshot_path=without_test, progress=told.append)
    assert json.loads((folder / RESULT).read_text("utf-8")) == json.loads(json.dumps(found))
    return found


def test_a_backtest_needs_no_test_split_on_disk(result: dict[str, Any], without_test: Path) -> None:
    assert len(result["origins"]) == 2
    assert openings(open_snapshot(without_test)) == []


def test_every_origin_has_its_numbers(result: dict[str, Any]) -> None:
    for row in result["origins"]:
        assert row["day"] < row["until"] <= result["cutoffs"]["val"]
        assert row["people"] > 100
        assert set(row["others"]) == {"research_default", "majority", "current_title", "markov", "ngram"}
        assert set(row["gains"]) == set(row["others"])
        for name in ("nll", "top1", "ece", "ece_chance", "tenure_coverage", "psi", "psi_by_chance"):
            assert row[name] is not None, name
    assert result["gains"][result["best_baseline"]]["nll"]["low"] is not None
    (aged,) = result["aging"]
    assert aged["first"] == result["origins"][1]["day"]
    assert aged["fresh_nll"] == pytest.approx(result["origins"][1]["nll"], rel=0.05)


def test_the_page_opens_offline_and_says_the_conclusions(result: dict[str, Any], run: Run) -> None:
    page = (run.path / "backtest" / PAGE).read_text("utf-8")
    assert "Retrain" in page
    assert "https://" not in page.partition("<main>")[2].partition("<script>")[0]
    table = terminal_table(result)
    assert result["retraining"] in table
    assert len(table.splitlines()) == 3 + len(result["origins"])


def test_called_again_it_trains_nothing_and_writes_the_same(
    result: dict[str, Any], run: Run, without_test: Path
) -> None:
    before = (run.path / "backtest" / RESULT).read_bytes()
    told: list[str] = []
    backtest(run, origins=2, snapshot_path=without_test, progress=told.append)
    assert not any("refitted" in line for line in told)
    assert (run.path / "backtest" / RESULT).read_bytes() == before


def test_an_interrupted_backtest_continues_with_what_is_trained(
    result: dict[str, Any],
    run: Run,
    without_test: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = open_run(shutil.copytree(Path(str(run.path)), tmp_path / "searched"))
    shutil.rmtree(tmp_path / "searched" / "backtest")
    told: list[str] = []

    def interrupt(line: str) -> None:
        told.append(line)
        if "refitted" in line and "(2 of 2)" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backtest(copy, origins=2, snapshot_path=without_test, progress=interrupt)
    trained = [line for line in told if "refitted" in line]
    monkeypatch.setattr(module, "write_backtest_report", lambda result, path: None)
    again, _ = backtest(copy, origins=2, snapshot_path=without_test, progress=told.append)
    assert len([line for line in told if "refitted" in line]) == 4
    assert len(trained) == 2
    assert again == result


def test_an_error_is_one_line(run: Run, without_test: Path, ray_local: None) -> None:
    with pytest.raises(TrajtuneError, match=r"--origins") as caught:
        backtest(run, origins=5000, snapshot_path=without_test, progress=lambda line: None)
    assert "\n" not in str(caught.value)
