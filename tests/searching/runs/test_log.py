"""A run's log has plain lines with the time, independent of stderr, and no secret."""

import io
import re
import sys
from pathlib import Path

import pytest

from tests.searching.show.test_progress import Terminal, searched
from trajtune.errors import RunError
from trajtune.searching.runs.log import LOG, run_log, tee_stderr

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 (\S.*)")


def lines_of(directory: Path) -> list[str]:
    """Return the lines of the log without their times."""
    matches = [LINE.fullmatch(line) for line in (directory / LOG).read_text("utf-8").splitlines()]
    assert all(matches)
    return [match[1] for match in matches if match]


def test_each_line_has_its_time_and_no_colours_and_sessions_are_appended(tmp_path: Path) -> None:
    for text in ("\x1b[1;31mred\x1b[0m and\x1b[K plain", "10 %\r20 %\r100 %"):
        with run_log(tmp_path) as log:
            log.write(text[:7])
            log.write(f"{text[7:]}\n\n")
    assert lines_of(tmp_path) == ["red and plain", "100 %"]


def test_stderr_is_copied_to_the_log_and_still_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    with run_log(tmp_path) as log, tee_stderr(log):
        print("the database does not answer", file=sys.stderr)
    assert sys.stderr is stderr
    assert stderr.getvalue() == "the database does not answer\n"
    assert lines_of(tmp_path) == ["the database does not answer"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RunError("Every trial failed."), "RunError: Every trial failed."),
        (KeyboardInterrupt("Stopped."), "KeyboardInterrupt: Stopped."),
        (OSError("postgresql://me:s3cret@host"), "ended by OSError"),
    ],
)
def test_the_error_that_ends_a_session_is_its_last_line(
    tmp_path: Path, error: BaseException, line: str
) -> None:
    def session() -> None:
        with run_log(tmp_path) as log:
            print("begins", file=log)
            raise error

    with pytest.raises(type(error)):
        session()
    assert lines_of(tmp_path) == ["begins", line]


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:s3cret@host/db",
        "postgresql://me:s3cret/x@host/db",
        "postgresql://me:x@s3cret@host/db",
        "password=s3cret host=h",
        "password='x s3cret' host=h",
        "see s3cret://@x",
    ],
)
def test_the_log_contains_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("TRAJTUNE_STUDY_URL", "s3cret://@x")
    with run_log(tmp_path) as log:
        print(f"cannot reach {address}", file=log)
    (line,) = lines_of(tmp_path)
    assert line.startswith("cannot reach ")
    assert "s3cret" not in line


@pytest.mark.parametrize("shown", [Terminal(), io.StringIO()])
def test_the_log_has_a_line_for_each_finished_trial_but_no_live_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: io.StringIO
) -> None:
    with run_log(tmp_path) as log:
        shown_text = searched(tmp_path, shown, monkeypatch, log)
    first, noted, second = lines_of(tmp_path)
    assert first.startswith("trial 0 COMPLETE after 1 epochs: val_next_role_nll 3.2500 at epoch 1 | best")
    assert noted == "a note beside it"
    assert second.startswith("trial 1 FAIL after 1 epochs: the disk is full | best 3.2500")
    assert "a note beside it" in shown_text
