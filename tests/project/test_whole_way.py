"""The whole pipeline on real careers: CSV → PostgreSQL → snapshot → search → bundle → prediction."""

import contextlib
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import psycopg2
import pytest

from trajtune.bundle.bundle import load_bundle
from trajtune.dataset.prepare import prepare
from trajtune.dataset.snapshot import open_snapshot
from trajtune.dataset.test_split import openings
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.finalizing.run import finalize
from trajtune.searching.run import start_search

pytestmark = pytest.mark.slow

REAL = {
    "uk_ministers": "Minister without Portfolio",
    "us_diplomats": "Chargé d'Affaires",
    "austrian_mps_jobs": "Kaufmännischer Angestellter",
}
TEST_METRICS = (
    *(
        "num_examples",
        "num_unseen_targets",
        "next_role_top1",
        "next_role_top5",
        "next_role_mrr",
        "next_role_nll",
    ),
    *("tenure_mae_months", "hireability_auc", "ece_raw", "ece", "brier_raw", "brier"),
)


def copy_to_postgres(url: str, file: Path, table: str) -> int:
    """Return the role rows of the file as text; an empty end is null."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [tuple(value or None for value in row.values()) for row in csv.DictReader(lines)]
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"create table {table} (candidate_id text, title text, start_date text, end_date text)"
        )
        cursor.executemany(f"insert into {table} values (%s, %s, %s, %s)", rows)
    connection.close()
    return len(rows)


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_careers_pass_the_whole_pipeline(
    name: str,
    real_data: Path,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ray_local: None,
) -> None:
    monkeypatch.chdir(tmp_path)
    num_rows = copy_to_postgres(postgres_url, real_data / f"{name}.csv", name)
    experiment = validate(
        Experiment,
        {
            "source": {"kind": "postgres", "table": name, "layout": {"layout": "roles"}},
            "training": {"max_epochs": 3},
            "search": {"space": "smoke", "trials": 4},
            "finalize": {"top_k": 1, "seeds": 1},
        },
        "test",
    )
    snapshot = prepare(experiment, url=postgres_url)
    assert snapshot.manifest["counts"]["rows_in"] == num_rows
    run = start_search(experiment, snapshot)
    bundle = finalize(run)

    metrics = json.loads((bundle / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert metrics["snapshot"] == snapshot.id
    assert metrics["test"]["num_examples"] == snapshot.manifest["splits"]["test"]["careers"]
    for part in TEST_METRICS:
        assert metrics["test"][part] is not None or metrics["test"][f"{part}_reason"]
    assert set(metrics["baselines"]) >= {"majority", "current_title", "markov"}
    assert metrics["export"]["opset"] == 17
    assert len(openings(open_snapshot(snapshot.path))) == 1

    prediction = load_bundle(bundle).predict([[REAL[name]]])[0]
    known = set(snapshot.refit.encoder().idx_to_title.values()) - {"<UNK>"}
    assert prediction.unknown_titles == ()
    assert {title for title, _ in prediction.top5} <= known
    vocabulary = json.loads((bundle / "trajectory-lstm-vocab.json").read_text(encoding="utf-8"))
    if name == "austrian_mps_jobs":
        assert "Kaufmännischer Angestellter" in vocabulary["idx_to_title"].values()
        assert vocabulary["title_to_idx"]["kaufmnnischer angestellter"] > 0


def test_typed_commands_leave_only_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text(
        "source: {kind: simulated, careers: 600}\ntraining: {max_epochs: 3}\n"
        "search: {space: smoke}\nfinalize: {top_k: 1, seeds: 1}\n"
    )
    command = Path(sys.executable).with_name("trajtune")
    # Sockets need short paths, so the temporary directory is not below pytest's.
    with tempfile.TemporaryDirectory(prefix="t-") as temporary:
        marker = {"TRAJTUNE_HOME": str(tmp_path / "home"), "TMPDIR": temporary}
        environment = {**os.environ, **marker}
        for name in ("POSTGRES_URL", "RAY_ADDRESS"):
            environment.pop(name, None)

        def trajtune(*arguments: str) -> str:
            outcome = subprocess.run(
                [command, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
            )
            assert outcome.returncode == 0, outcome.stderr
            assert "Traceback" not in outcome.stderr
            assert os.listdir(temporary) == []
            assert processes_with(marker) == []
            return outcome.stdout

        trajtune("search", "experiment.yaml", "--trials", "2")
        found = json.loads(trajtune("status", "--json"))
        assert (found["requested"], len(found["trials"])) == (2, 2)
        bundle = trajtune("finalize").strip().splitlines()[-1]
        metrics = json.loads((tmp_path / bundle / "metrics.json").read_text())
        assert metrics["source"] == "simulated"
        assert metrics["bayes_limit"]["top5"] > metrics["baselines"]["majority"]["top5"]
        limit = metrics["bayes_limit"]["career_changers"]
        assert limit["num"] == metrics["career_changers"]["num"]
        assert limit["everybody"]["top1"] == pytest.approx(metrics["bayes_limit"]["top1"])
        assert "| best possible |" in (tmp_path / bundle / "evaluation_report.md").read_text()
        known = json.loads((tmp_path / bundle / "trajectory-lstm-vocab.json").read_text())["idx_to_title"][
            "1"
        ]
        said = json.loads(trajtune("predict", bundle, known, "Astronaut", "--json"))
        assert said["unknown_titles"] == ["Astronaut"]
        assert said["next_role"] in trajtune("predict", bundle, known, "Astronaut")


def processes_with(marker: dict[str, str]) -> list[str]:
    """Return command lines of live processes that inherited the marker from a command."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if marker.items() <= process.environ().items() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found
