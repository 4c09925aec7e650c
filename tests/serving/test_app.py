"""The application's answers, compared with those of `trajtune predict`, and what it refuses."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import Client
from tests.serving.running import awaited
from tests.support.finalized import renamed
from trajtune import cli
from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.bundle.predict_file import predict_lines
from trajtune.serving.limits import Limits

CAREER = ["Jr. Nurse", "Wizard", "Sr. Nurse"]


@pytest.mark.parametrize(
    ("arguments", "query"), [([], ""), (["--explain"], "?explain=true"), ([], "?explain=false")]
)
@pytest.mark.parametrize("career", [CAREER, CAREER[:1], ["Wizard", "Quidditch Keeper"]])
def test_one_career_is_answered_as_predict_does(
    client: Client,
    finalized: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    career: list[str],
    arguments: list[str],
    query: str,
) -> None:
    typed = ["trajtune", "predict", str(finalized), *career, *arguments, "--json"]
    monkeypatch.setattr(sys, "argv", typed)
    with pytest.raises(SystemExit):
        cli.main()
    expected = json.loads(capsys.readouterr().out)
    for body in (career, {"titles": career}, {"titles": career, "starts": ["2020"]}):
        response = client.post(f"/predict{query}", json=body)
        assert response.status_code == 200
        assert response.json() == expected
    assert ("explanation" in expected) == (bool(arguments) and career[0] != "Wizard")


def test_a_batch_is_answered_in_order_as_a_file_is(client: Client, bundle: Bundle) -> None:
    careers: list[Any] = [CAREER, {"id": "a", "titles": ["Wizard"]}, {"id": None, "titles": CAREER[:1]}]
    expected = [json.loads(line) for line in predict_lines(bundle, map(json.dumps, careers), "it")]
    answers = client.post("/predict/batch", json=careers).json()
    assert [next(iter(answer)) for answer in answers] == ["next_role", "id", "id"]
    assert answers[1].pop("priors") == bundle.outcomes.to_dict() | {
        "tenure_months": list(bundle.outcomes.tenure_months or ())
    }
    for answer, line in zip(answers, expected, strict=True):
        assert {k: v for k, v in answer.items() if not isinstance(v, float) and k != "top5"} == {
            k: v for k, v in line.items() if not isinstance(v, float) and k != "top5"
        }
        assert answer.get("confidence") == pytest.approx(line.get("confidence"), abs=1e-6)
    assert client.post("/predict/batch", json=[]).json() == []


def test_a_large_batch_is_answered_as_a_small_one_is(client: Client) -> None:
    (alone,) = client.post("/predict/batch", json=[CAREER]).json()
    many = client.post("/predict/batch", json=[CAREER] * 10).json()
    assert [each["next_role"] for each in many] == [alone["next_role"]] * 10


def test_titles_are_looked_up_as_the_bundle_was_opened(finalized: Path, tmp_path: Path) -> None:
    path = renamed(finalized, tmp_path / "bundle", ["C++", "C", "工程师"])
    answers = [
        Client(load_bundle(path, as_service=as_service), Limits())
        .post("/predict", json=["C", "工程师"])
        .json()
        for as_service in (False, True)
    ]
    assert answers[0]["service_sees"] == [["C", "C++"], ["工程师", None]]
    assert [answer["unknown_titles"] for answer in answers] == [[], ["工程师"]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "The body is not JSON: EOF while parsing a value at line 1 column 0. Send JSON in UTF-8."),
        (b"\xff", "The body is not JSON: expected value at line 1 column 1. Send JSON in UTF-8."),
        (b'["\\ud800"]', "The body is not JSON: unexpected end of hex escape"),
        (b"[" * 500, "The body is not JSON: recursion limit exceeded"),
        (b'{"id": NaN, "titles": ["Nurse"]}', "The body is not JSON: expected value"),
        (b'{"id": 1e999, "titles": ["Nurse"]}', "The career has an `id` with a number that is too large."),
        (b'"Nurse"', "The career must be a list of titles or an object with `titles`."),
        (b"null", "The career must be a list of titles or an object with `titles`."),
        (b'{"titles": "Nurse"}', "The career must be a list of titles or an object with `titles`."),
        (b"[]", "The career has no title. Give at least one, oldest first."),
        (b'["Nurse", " "]', "The career has the title ' '. Give the title as a text, or leave it out."),
        (b'["Nurse", 7]', "The career has the title 7. Give the title as a text, or leave it out."),
        (b'["Nurse", ["' + b"x" * 500 + b'"]]', "The career has the title ['xxxx"),
        (json.dumps(["x"] * 21).encode(), "The career has 21 titles, but may have 20."),
    ],
)
def test_a_career_that_is_none_is_refused_in_one_line(client: Client, body: bytes, reason: str) -> None:
    response = client.post("/predict", content=body)
    assert response.status_code == 422
    assert list(response.json()) == ["error"]
    assert response.json()["error"].startswith(reason)
    assert "\n" not in response.json()["error"]
    assert len(response.json()["error"]) < 200


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "The body must be a JSON list of careers. Put a single one in a list."),
        (b'["Nurse"]', "Career 1 must be a list of titles or an object with `titles`."),
        (b'[["Nurse"], []]', "Career 2 has no title."),
        (b'[["Nurse"], ["Nurse", ""]]', "Career 2 has the title ''."),
        (b'[["Nurse"], ["Nurse"], {"titles": [1]}]', "Career 3 has the title 1."),
        (b'[["Nurse"], {"id": -1e999, "titles": ["x"]}]', "Career 2 has an `id`"),
        (json.dumps([["x"], ["x"] * 21]).encode(), "Career 2 has 21 titles, but may have 20."),
        (json.dumps([["x"]] * 11).encode(), "A batch may have 10 careers, but has 11."),
    ],
)
def test_a_batch_is_refused_with_the_number_of_the_career(client: Client, body: bytes, reason: str) -> None:
    response = client.post("/predict/batch", content=body)
    assert response.status_code == 422
    assert response.json()["error"].startswith(reason)


def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 1500
        yield b"x" * 1500

    for path in ("/predict", "/predict/batch"):
        for content in (b"x" * 2001, chunks()):
            response = client.post(path, content=content)
            assert response.status_code == 413
            assert response.json()["error"].startswith("A body may have 2,000 bytes, but has more.")


def test_a_client_that_goes_away_is_not_a_fault_of_the_server(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    arriving = [
        {"type": "http.request", "body": b'["Nur', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return arriving.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "headers": [],
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
    }
    awaited(client.app(scope, receive, send))
    assert sent[0]["status"] == 400
    assert capfd.readouterr().err.split()[1:3] == ["/predict", "400"]


def test_paths_methods_and_queries_that_are_not_there(client: Client) -> None:
    assert client.get("/nothing").json() == {"error": "Not Found."}
    assert client.get("/predict").status_code == 405
    for path in ("/docs", "/redoc"):
        assert client.get(path).status_code == 404, "these pages would fetch from another host"
    response = client.post("/predict?explain=perhaps", json=CAREER)
    assert (response.status_code, response.json()["error"]) == (
        422,
        "`explain` must be true or false. Fix the query.",
    )


def test_the_interface_is_described_as_openapi(client: Client) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/predict", "/predict/batch", "/health", "/metrics"}
    answer = described["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]
    found = client.post("/predict", json=CAREER).json()
    assert set(answer["schema"]["properties"]) == set(found)


def test_health_names_the_bundle(client: Client, bundle: Bundle) -> None:
    said = client.get("/health").json()
    assert said["status"] == "ok"
    assert said["bundle"] == bundle.path.name
    assert said["sha256"] == bundle.manifest["manifest_sha256"]
    assert said["as_of"] == bundle.manifest["as_of"]
    assert said["gates_passed"] is bundle.manifest["gates_passed"]
    assert said["gates"] == bundle.manifest["gates"]


def test_metrics_count_requests_abstentions_and_unknown_titles(client: Client) -> None:
    client.post("/predict", json=CAREER)
    client.post("/predict", json=["Wizard"])
    client.post("/predict/batch", json=[CAREER, ["Sr. Nurse"]])
    client.post("/predict", json=[])
    client.get("/a-title-in-a-path")
    lines = dict(
        line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#")
    )
    assert lines['trajtune_requests_total{path="/predict",status="200"}'] == "2.0"
    assert lines['trajtune_requests_total{path="/predict",status="422"}'] == "1.0"
    assert lines['trajtune_requests_total{path="other",status="404"}'] == "1.0"
    assert lines["trajtune_careers_total"] == "4.0"
    assert lines["trajtune_abstentions_total"] == "1.0"
    assert lines["trajtune_titles_total"] == "8.0"
    assert lines["trajtune_unknown_titles_total"] == "3.0"
    assert lines['trajtune_request_seconds_count{path="/predict"}'] == "3.0"
    assert 'trajtune_request_seconds_bucket{le="0.005",path="/predict"}' in lines


def test_nothing_that_a_client_wrote_is_logged_or_counted(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    marked = "Marked Title 4711"
    client.post("/predict", json=[marked])
    client.post("/predict", json=[marked, 3])
    client.post(f"/predict?explain={marked}", json=CAREER)
    client.get(f"/{marked}")
    client.request("MARKED4711", "/predict")
    logged = capfd.readouterr().err
    assert [line.split()[1:3] for line in logged.splitlines()] == [
        ["/predict", "200"],
        ["/predict", "422"],
        ["/predict", "422"],
        ["other", "404"],
        ["/predict", "405"],
    ]
    assert "4711" not in logged + client.get("/metrics").text
