"""Reading s3:// from a real server, configured only by environment variables, as by a user."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.careers.sources.test_files import HISTORIES, ROWS, typed
from tests.support.careers import ladder_careers
from tests.support.s3 import ISOLATED, KEYS, S3Store, s3_server
from trajtune.careers import read
from trajtune.careers.read import load_career_sequences
from trajtune.careers.sources.files import open_files
from trajtune.cluster import ray_data_for_reading
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import FileSource

LENIENT = DataSettings(max_quarantine_fraction=1)
KINDS = ("csv", "parquet", "jsonl")
PATHS = {
    "a file": ("s3://careers/{kind}/first%20half.{kind}", ["1"]),
    "a file written as it is": ("s3://careers/{kind}/first half.{kind}", ["1"]),
    "a directory": ("s3://careers/{kind}", ["1", "2", "4"]),
    "a glob": ("s3://careers/{kind}/*.{kind}", ["1", "2"]),
    "a glob of all below": ("s3://careers/{kind}/**/*.{kind}", ["1", "2", "4"]),
    "a glob with a class": ("s3://careers/{kind}/[a-f]*.{kind}", ["1"]),
    "a whole bucket": ("s3://only-{kind}", ["2"]),
}


def content(kind: str, rows: list[dict[str, Any]]) -> bytes:
    if kind == "csv":
        return pd.DataFrame(rows).to_csv(index=False).encode()
    if kind == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    sink = io.BytesIO()
    pq.write_table(typed(rows), sink)
    return sink.getvalue()


@pytest.fixture(scope="module")
def filled(s3_store: S3Store) -> S3Store:
    for kind in KINDS:
        s3_store.put("careers", f"{kind}/first half.{kind}", content(kind, ROWS[:2]))
        s3_store.put("careers", f"{kind}/second.{kind}", content(kind, ROWS[2:]))
        s3_store.put("careers", f"{kind}/notes.txt", b"no careers")
        deep = [{**row, "candidate_id": "4"} for row in ROWS[2:4]]
        s3_store.put("careers", f"{kind}/deep/ü.{kind}", content(kind, deep))
        s3_store.put(f"only-{kind}", f"x.{kind}", content(kind, ROWS[2:]))
    histories = pd.DataFrame([{**row, "work_history": json.dumps(row["work_history"])} for row in HISTORIES])
    s3_store.put("careers", "histories.csv", histories.to_csv(index=False).encode())
    return s3_store


# A separate Ray, whose workers get this environment as on a user's machine.
READ = """
import json, sys
from trajtune.careers.read import load_career_sequences
from trajtune.cluster import ray_data_for_reading
from trajtune.cluster import ray_session
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import FileSource
found = {}
with ray_session(num_cpus=2):
    for name, source in json.load(sys.stdin).items():
        loaded = load_career_sequences(FileSource(**source), DataSettings(max_quarantine_fraction=1))
        rows = loaded.careers.select(["candidate_id", "titles", "starts"]).to_pylist()
        found[name] = {"careers": rows, "rows_in": loaded.counts["rows_in"], "source": loaded.source}
print(json.dumps(found, default=str))
"""


def clean_environment(**settings: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | settings


@pytest.fixture(scope="module")
def found(filled: S3Store) -> dict[str, Any]:
    """Return what one process reads from every kind of file by every kind of path."""
    sources = {
        f"{kind}, {name}": {"kind": kind, "path": path.format(kind=kind)}
        for kind in KINDS
        for name, (path, _) in PATHS.items()
    }
    sources["histories"] = {
        "kind": "csv",
        "path": "s3://careers/histories.csv",
        "layout": {"layout": "json"},
    }
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=json.dumps(sources),
        env=clean_environment(**filled.environment),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PATHS)
def test_careers_are_read_from_s3(found: dict[str, Any], kind: str, name: str) -> None:
    path, ids = PATHS[name]
    read = found[f"{kind}, {name}"]
    titles = {"1": ['Söme, "A"\nB', "B"], "2": ["C", "NA"], "4": ["C", "NA"]}
    starts = {"1": ["2000-01-01", "2001-02-03"], "2": ["1999-05-05", "2000-05-05"]}
    starts["4"] = starts["2"]
    assert read["careers"] == [
        {"candidate_id": person, "titles": titles[person], "starts": starts[person]} for person in ids
    ]
    assert read["source"] == {"kind": kind, "path": path.format(kind=kind)}
    # Person 3 has a single role and is in the file of person 2.
    assert read["rows_in"] == 2 * len(ids) + ("2" in ids)


@pytest.mark.slow
def test_histories_are_read_from_s3(found: dict[str, Any]) -> None:
    assert [row["candidate_id"] for row in found["histories"]["careers"]] == ["1", "2"]


@pytest.fixture
def pointed(filled: S3Store, monkeypatch: pytest.MonkeyPatch, ray_local: None) -> S3Store:
    """Configure this process for the server."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in filled.environment.items():
        monkeypatch.setenv(name, value)
    return filled


@pytest.fixture
def silent() -> Iterator[str]:
    """Open an endpoint that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def refusal(path: str, most_s: float) -> str:
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        load_career_sequences(FileSource(kind="csv", path=path), LENIENT)
    assert time.monotonic() - started < most_s
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_bucket_and_a_missing_key_have_different_errors(pointed: S3Store) -> None:
    for path in ("s3://nobody/x.csv", "s3://nobody", "s3://nobody/*.csv"):
        assert refusal(path, 10) == (
            "There is no bucket nobody in the store. Fix `source.path`, or AWS_ENDPOINT_URL, which is "
            f"{pointed.url}."
        )
    for path in ("s3://careers/x.csv", "s3://careers/nowhere/", "s3://careers/csv/*.tsv"):
        assert refusal(path, 10).startswith(f"There is no file {path}. Give a file")


def test_missing_and_wrong_credentials_are_one_line(
    pointed: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = "the store refuses the credentials, or there are none. Set AWS_ACCESS_KEY_ID and AWS_SECRET"
    pointed.check_keys(True)
    try:
        assert rule in refusal("s3://careers/csv", 20)  # moto does not accept the key "testing"
    finally:
        pointed.check_keys(False)
    for name in KEYS:
        monkeypatch.delenv(name)
    assert rule in refusal("s3://careers/csv/second.csv", 20)


@pytest.mark.slow
def test_a_store_that_is_down_or_silent_is_one_line_after_a_bounded_wait(
    pointed: S3Store, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = (
        ("http://127.0.0.1:1", "Failed to connect to 127.0.0.1:1", 15),
        (silent, "Operation too slow", 40),
        ("http://no-such-host.invalid", "Could not resolve host", 40),
    )
    for url, reason, most_s in cases:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        said = refusal("s3://careers/csv", most_s)
        assert said.startswith(f"Cannot list s3://careers/csv: the store does not answer ({reason}")
        assert said.endswith(f"Start it, or fix AWS_ENDPOINT_URL, which is {url}.")


def test_a_password_in_the_endpoint_is_never_shown(pointed: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hunter2@127.0.0.1:1")
    assert refusal("s3://careers/csv", 15).endswith("which is http://127.0.0.1:1.")


def test_a_store_that_goes_down_during_a_read_is_one_line(
    pointed: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server() as (store, process):
        store.put("careers", "x.csv", content("csv", ROWS))
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
        source = FileSource(kind="csv", path="s3://careers/x.csv")
        with ray_data_for_reading():
            rows = open_files(source, None)
            process.kill()
            process.wait()
            started = time.monotonic()
            with pytest.raises(SourceError, match="^Cannot read s3://careers/x.csv as csv: the store does"):
                read._load(rows, source, LENIENT, {}, None, False)
        assert time.monotonic() - started < 30


@pytest.mark.slow
def test_prepare_as_a_user_types_it(s3_store: S3Store, tmp_path: Path) -> None:
    rows = [
        {"candidate_id": row["candidate_id"], "title": title, "start_date": start, "end_date": end}
        for row in ladder_careers().to_pylist()
        for title, start, end in zip(row["titles"], row["starts"], row["ends"], strict=True)
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    s3_store.put("ladder", "2026/roles.parquet", sink.getvalue())
    (tmp_path / "experiment.yaml").write_text("source: {kind: parquet, path: 's3://ladder/2026/*.parquet'}\n")

    def prepare(**settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("trajtune"), "prepare", "experiment.yaml"],
            cwd=tmp_path,
            env=clean_environment(**settings),
            capture_output=True,
            text=True,
            timeout=150,
        )

    before = sorted(tmp_path.iterdir())
    refused = prepare(AWS_ENDPOINT_URL="http://127.0.0.1:1", **KEYS, **ISOLATED)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("SourceError: Cannot list s3://ladder/2026/*.parquet: the store")
    assert sorted(tmp_path.iterdir()) == before

    done = prepare(**s3_store.environment)
    assert done.returncode == 0, done.stderr
    (manifest,) = tmp_path.glob("snapshots/*/manifest.json")
    counts = json.loads(manifest.read_text())["counts"]
    assert (counts["rows_in"], counts["careers"]) == (len(rows), 400)
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or b"testing" not in file.read_bytes()
