"""A bundle in real Node with real onnxruntime-node, used by a client written from the serving contract."""

import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.install import CLIENT, install_client
from tests.support.finalized import renamed
from trajtune.bundle.bundle import load_bundle
from trajtune.bundle.manifest import MODEL
from trajtune.dataset.identity.service_key import service_key
from trajtune.finalizing.export.latency import ONNXRUNTIME_NODE, latency_in_node

HARD = (
    *("Sr.", "sr..", "SR", "jr", "eng.", "ENG", "dev", "swe", "pm", "VP", "cto", "-", "&", "R&D", ".", ".."),
    *("constructor", "constructor.", "__proto__", "toString", "_x_", "1st", "ẞ", "ß", "Σ", "ς", "É"),
    *("\u00a0", "\ufeff", "\u0085", "\u001c", "\u0130", "\u212a"),
)


@pytest.fixture(scope="session")
def node() -> str:
    path = shutil.which("node")
    if path is None:
        pytest.skip("node is not installed")
    return path


@pytest.fixture(scope="session")
def client(node: str) -> Path:
    """The client, installed together with onnxruntime-node."""
    folder = install_client()
    if folder is None:
        pytest.skip("npm is not installed")
    return folder / "client.mjs"


def ask(node: str, client: Path, question: Any, *arguments: str) -> Any:
    done = subprocess.run(
        [node, str(client), *arguments],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


def careers_in_many_spellings(titles: list[str], count: int) -> list[list[str]]:
    """Return careers with titles of the vocabulary in every spelling that the service normalises."""
    generator = random.Random(0)
    spellings = [
        str,
        str.upper,
        lambda t: f"  {t} ",
        lambda t: t.replace(" ", "  "),
        lambda t: t.replace("Sr.", "Senior").replace("VP", "Vice-President"),
        lambda t: f"{t}.",
        lambda t: t.replace("ç", "c").replace("ã", "a"),
        lambda t: f"Übermensch {t}",
        lambda t: t.replace("Developer", "dev"),
    ]
    return [
        [generator.choice(spellings)(generator.choice(titles)) for _ in range(generator.randint(1, 9))]
        for _ in range(count)
    ]


def test_a_thousand_careers_get_the_same_predictions_in_node(
    finalized: Path, node: str, client: Path
) -> None:
    bundle = load_bundle(finalized)
    careers = careers_in_many_spellings(list(bundle.encoder.idx_to_title.values())[1:], 1000)
    in_node = ask(node, client, careers, "predict", str(finalized / MODEL))
    in_python = [bundle.predict([career])[0] for career in careers]  # one at a time, as the service does
    assert [answer["ids"] for answer in in_node] == [[bundle.encoder.encode(t) for t in c] for c in careers]
    known = np.mean([i != 0 for answer in in_node for i in answer["ids"]])
    assert 0.7 < known < 0.99  # most spellings are found, and some are not
    assert [answer["next_role"] for answer in in_node] == [p.next_role for p in in_python]
    for answer, prediction in zip(in_node, in_python, strict=True):
        assert answer["probability"] == pytest.approx(prediction.top5[0][1], abs=1e-6)
        assert answer["confidence"] == pytest.approx(prediction.confidence, abs=1e-6)
        assert answer["low_confidence"] == prediction.low_confidence
        assert answer["tenure"] == [prediction.shown_min_months, prediction.shown_max_months]
        assert answer["hireability"] == prediction.shown_hireability


def test_titles_that_the_service_resolves_differently_get_its_predictions_in_python(
    finalized: Path, tmp_path: Path, node: str, client: Path
) -> None:
    titles = ["C++", "C", "工程师", "C#", "Java实习生", "Java", "高级 工程师"]
    path = renamed(finalized, tmp_path / "bundle", titles)
    careers = careers_in_many_spellings(
        [*titles, "Jr. Nurse", "Sr. Nurse", "R&D", "VP é", "초급 개발자"], 300
    )
    in_node = ask(node, client, careers, "predict", str(path / MODEL))
    bundle = load_bundle(path, as_service=True)
    assert [answer["ids"] for answer in in_node] == [bundle.encode(career) for career in careers]
    predictions = bundle.predict(careers)
    assert [answer["next_role"] for answer in in_node] == [p.next_role for p in predictions]
    own = load_bundle(path)
    for career, prediction in zip(careers, own.predict(careers), strict=True):
        sees = dict(prediction.service_sees)
        decoded = {title: index for index, title in own.encoder.idx_to_title.items()}
        seen = [decoded[sees[t] or "<UNK>"] if t in sees else own.encode([t])[0] for t in career]
        assert seen == bundle.encode(career), "`service_sees` must match the service"


def test_the_service_finds_every_readable_title(finalized: Path, node: str, client: Path) -> None:
    encoder = load_bundle(finalized).encoder
    titles = list(encoder.idx_to_title.values())[1:]
    keys = ask(node, client, titles, "keys")
    assert "Sr. Engenheiro de Produção" in titles
    assert "senior engenheiro de produo" in keys
    assert [encoder.title_to_idx[key] for key in keys] == list(range(1, encoder.vocab_size))


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
            st.lists(
                st.sampled_from(HARD),
                max_size=6,
            ).map(" ".join),
        ),
        min_size=200,
        max_size=400,
    )
)
def test_titles_are_normalised_like_in_node(node: str, titles: list[str]) -> None:
    assert ask(node, CLIENT / "client.mjs", titles, "keys") == [service_key(title) for title in titles]


def test_latency_in_node_is_within_the_budget(finalized: Path, node: str, client: Path) -> None:
    found = ask(node, client, [["Jr. Nurse", "Sr. Nurse"]], "latency", str(finalized / MODEL))
    assert found["p95_ms"] < 50


def test_the_reports_show_the_latency_in_node(finalized: Path, node: str, client: Path) -> None:
    metrics = json.loads((finalized / "metrics.json").read_text())
    latency, in_node = metrics["latency"], metrics["latency"]["node"]
    assert 0 < in_node["p50_ms"] <= in_node["p95_ms"] <= in_node["p99_ms"]
    assert in_node["calls"] >= 500
    slower = max(latency["p95_ms"], in_node["p95_ms"])
    assert metrics["gates"]["latency"]["value"] == slower
    report = (finalized / "report.html").read_text()
    (row,) = re.findall(rf'<th scope="row">Node {in_node["version"]}</th>(.*?)</tr>', report)
    shown = [float(text) for text in re.findall(r'data-order="(.*?)"', row)]
    assert shown == pytest.approx([in_node[f"{name}_ms"] for name in ("p50", "p95", "p99")], rel=1e-3)


def test_without_node_or_its_module_the_record_has_the_reason(
    exported_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    careers = [np.array([1, 2])]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = latency_in_node(exported_onnx, careers)
    assert found["node"] is None
    assert "onnxruntime-node is not installed; run `npm install" in found["node_reason"]
    monkeypatch.setenv("PATH", "")
    assert latency_in_node(exported_onnx, careers)["node_reason"] == "Node is not installed"


def test_the_tests_install_the_version_that_finalize_expects() -> None:
    package = json.loads((CLIENT / "package.json").read_text())
    assert package["dependencies"]["onnxruntime-node"] == ONNXRUNTIME_NODE
