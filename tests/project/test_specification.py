"""The specification's steps in its own notation on real careers, in Python and on the command line."""

import json
import pickle
import subprocess
from pathlib import Path

import pandas as pd
import psycopg2
import pytest
import torch

import trajtune
from tests.cli.running import COMMAND

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run_cli(*arguments: str) -> None:
    outcome = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr


@pytest.fixture
def database(real_data: Path, own_database: str) -> str:
    """URL of a database with the real careers of diplomats in the specification's table."""
    rows = pd.read_csv(real_data / "us_diplomats.csv", dtype=str, keep_default_na=False)
    connection = psycopg2.connect(own_database)
    with connection, connection.cursor() as cursor:
        cursor.execute("create table candidates (id text primary key, work_history jsonb)")
        for person, roles in rows.groupby("candidate_id"):
            history = roles[["title", "start_date", "end_date"]].to_dict("records")
            cursor.execute("insert into candidates values (%s, %s)", (person, json.dumps(history)))
    connection.close()
    return own_database


def test_the_steps_in_python(database: str, tmp_path: Path, ray_local: None) -> None:
    careers = trajtune.load_career_sequences(database)
    train, val, test = trajtune.temporal_split(careers, "1990-01-01", "2005-01-01")
    sequences = trajtune.generate_sequences(train)
    titles, following, _, person = sequences[0]
    assert len(sequences) == len(train)
    assert (*titles, following) == tuple(train.iloc[0]["titles"])
    assert person == train.iloc[0]["candidate_id"]

    encoder = trajtune.TitleEncoder()
    assert encoder.fit([title for titles in train["titles"] for title in titles]) is encoder
    encoder.save(str(tmp_path / "vocab.json"))
    again = trajtune.TitleEncoder()
    again.load(str(tmp_path / "vocab.json"))
    assert again.vocab_size == trajtune.TitleEncoder.load(str(tmp_path / "vocab.json")).vocab_size
    assert again.encode(following) == encoder.encode(following) != 0

    torch.manual_seed(0)
    model = trajtune.CareerTrajectoryLSTM(encoder.vocab_size)
    train_loader, val_loader = trajtune.create_dataloaders(train, val, encoder, batch_size=32)
    _, test_loader = trajtune.create_dataloaders(train, test, encoder)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    before = trajtune.evaluate(model, val_loader)
    losses = [
        trajtune.train_epoch(model, train_loader, optimizer, torch.nn.CrossEntropyLoss()) for _ in range(8)
    ]
    accuracy, loss, predictions = trajtune.evaluate(model, val_loader)
    assert losses[-1] < losses[0]
    assert loss < before.loss
    assert accuracy > before.accuracy

    calibrator = trajtune.train_calibrator(model, val_loader, "cpu")
    trajtune.save_calibrator(calibrator, str(tmp_path / "calibrator.pkl"))
    assert pickle.loads((tmp_path / "calibrator.pkl").read_bytes()).predict([0.5]).shape == (1,)
    on_val = trajtune.evaluate_calibration(calibrator, predictions.confidence, predictions.correct)
    assert on_val["ece"] <= on_val["ece_raw"]

    torch.save(model.state_dict(), tmp_path / "best.pt")
    graph = str(tmp_path / "trajectory-lstm.onnx")
    trajtune.export_to_onnx(str(tmp_path / "best.pt"), str(tmp_path / "vocab.json"), graph)
    trajtune.simplify_onnx(graph)
    metrics = trajtune.evaluate_model(graph, test_loader)
    of_weights = trajtune.evaluate_model(tmp_path / "best.pt", test_loader)
    assert metrics["next_role_nll"] == pytest.approx(of_weights["next_role_nll"], abs=1e-4)
    changers = trajtune.test_career_changers(model, test)
    assert changers["num"] > 0
    report = trajtune.generate_report({**metrics, **{f"changers_{k}": v for k, v in changers.items()}})
    assert f"{metrics['next_role_top1']:.3f}"[:4] in report


def test_the_commands_as_the_specification_writes_them(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_cli("train", "--db-url", database, "--epochs", "2", "--output", "models/", "--research-default")
    assert {"best.pt", "vocab.json"} <= {path.name for path in Path("models").iterdir()}
    checkpoint = ("--checkpoint", "models/best.pt")
    run_cli("export", *checkpoint, "--vocab", "models/vocab.json", "--output", "models/trajectory-lstm.onnx")
    run_cli("calibrate", *checkpoint, "--data-path", "snapshots/", "--output", "models/calibrator.pkl")
    assert pickle.loads(Path("models/calibrator.pkl").read_bytes()).predict([0.5]).shape == (1,)
    run_cli("evaluate", *checkpoint, "--data-path", "snapshots/", "--output", "models/evaluation_report.md")
    assert Path("models/evaluation_report.md").read_text().startswith("# Evaluation")
    assert json.loads(Path("models/evaluation_report.json").read_text())["test"]["num_examples"] > 0
