"""The lease of a run in a store: one process may write, until it ends or stops renewing the lease."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sql

from trajtune.errors import RunError
from trajtune.searching.runs import lease
from trajtune.searching.runs.lease import Lease

VARIABLE = "TRAJTUNE_STUDY_URL"
RUN = "s3://bucket/runs/one"
HOLD = f"""
import time
from trajtune.searching.runs import lease
lease.EXPIRES_S, lease._RENEWAL_INTERVAL_S = 2.0, 0.2
with lease.Lease({VARIABLE!r}, {RUN!r}).hold():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sql.Engine:
    """A SQLite file; tests of complete searches use PostgreSQL."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    monkeypatch.setenv(VARIABLE, url)
    # SQLite's clock has a resolution of one second.
    monkeypatch.setattr(lease, "EXPIRES_S", 2.0)
    monkeypatch.setattr(lease, "_RENEWAL_INTERVAL_S", 0.2)
    return sql.create_engine(url)


def test_a_lease_is_held_during_a_block_and_free_after_it() -> None:
    assert not Lease(VARIABLE, RUN).is_held()
    with Lease(VARIABLE, RUN).hold() as still_held:
        assert Lease(VARIABLE, RUN).is_held()
        assert not Lease(VARIABLE, "s3://bucket/runs/another").is_held()
        still_held()
    assert not Lease(VARIABLE, RUN).is_held()


def test_the_lease_of_a_live_process_cannot_be_taken() -> None:
    with Lease(VARIABLE, RUN).hold():
        with pytest.raises(RunError, match=f"Another process searches in {RUN}"), Lease(VARIABLE, RUN).hold():
            raise AssertionError("two hold it")
        assert Lease(VARIABLE, RUN).is_held()


def test_the_lease_of_a_killed_process_can_be_taken_after_it_expires() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()

    began = time.monotonic()
    with Lease(VARIABLE, RUN).hold() as still_held:
        still_held()
    assert time.monotonic() - began < 10


def test_a_holder_that_lost_the_lease_gets_an_error(database: sql.Engine) -> None:
    with Lease(VARIABLE, RUN).hold() as still_held:
        with database.begin() as connection:
            connection.execute(sql.update(lease._TABLE).values(holder="another"))
        time.sleep(1)
        with pytest.raises(RunError, match="Another process has taken"):
            still_held()
    assert Lease(VARIABLE, RUN).is_held(), "the other process keeps its lease"


def test_without_a_database_there_is_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)

    with pytest.raises(RunError, match=f"{VARIABLE} is not set"):
        Lease(VARIABLE, RUN).is_held()
