"""`trajtune report`: a run or a bundle, by name or path."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trajtune import cli
from trajtune.searching.runs.directory import Run


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return the output of a command: its result, or its error if it fails."""

    def run(*arguments: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["trajtune", "report", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        assert (caught.value.code or 0) == code, err
        return (err if code else out).strip()

    return run


def test_a_runs_report_is_written_into_the_run(searched_run: Run, typed: Callable[..., str]) -> None:
    path = Path(typed(searched_run.path))

    assert path == searched_run.path / "report.html"
    assert "<h1>Search searched</h1>" in path.read_text()
    path.unlink()


def test_a_bundles_report_is_written_beside_it_with_its_search(
    finalized: Path,
    searched_run: Run,
    typed: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    alone = Path(typed(finalized)).read_text()
    assert "The run searched is not here, so the search is not shown." in alone

    shutil.copytree(searched_run.path, tmp_path / "runs" / searched_run.name)
    path = Path(typed(finalized))
    assert path == Path("searched-report.html")
    assert path.read_bytes() == (finalized / "report.html").read_bytes()

    manifest = tmp_path / "runs" / searched_run.name / "run.json"
    content = json.loads(manifest.read_text())
    content["snapshot"]["id"] = "0" * 64
    manifest.write_text(json.dumps(content))
    assert "searched on another snapshot, so it is not shown" in Path(typed(finalized)).read_text()


def test_a_report_is_never_written_into_a_bundle(finalized: Path, typed: Callable[..., str]) -> None:
    before = (finalized / "report.html").read_bytes()

    said = typed(finalized, "--output", finalized / "report.html", code=2)

    assert "A bundle's files must not change" in said
    assert (finalized / "report.html").read_bytes() == before


def test_metrics_that_were_altered_are_refused(
    finalized: Path, typed: Callable[..., str], tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(finalized, bundle)
    with (bundle / "metrics.json").open("a") as file:
        file.write(" ")

    assert "is not the file that was written" in typed(bundle, "-o", tmp_path / "r.html", code=2)
    assert not (tmp_path / "r.html").exists()


def test_a_path_that_is_neither_run_nor_bundle_is_one_line(tmp_path: Path, typed: Callable[..., str]) -> None:
    said = typed(tmp_path, code=2)

    assert f"{tmp_path} is neither a run nor a bundle" in said
    assert "\n" not in said
