"""Explanations by occlusion, compared with predictions for the shortened careers."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trajtune import cli
from trajtune.bundle.bundle import load_bundle
from trajtune.bundle.explain import explain

CAREER = ["Jr. Nurse", "Sr. Nurse", "Lead Nurse"]


def test_a_contribution_is_the_loss_of_probability_without_the_role(finalized: Path) -> None:
    bundle = load_bundle(finalized)
    explained = explain(bundle, CAREER)
    predicted = bundle.encoder.encode(explained.prediction.next_role)

    for place, found in enumerate(explained.contributions):
        shorter = bundle.encode([title for at, title in enumerate(CAREER) if at != place])
        logits = bundle.graph.run(np.array([shorter]), np.array([2]))["next_role_logits"][0]
        powers = np.exp(logits.astype(np.float64))
        assert found.title == CAREER[place]
        assert found.without == pytest.approx(powers[predicted] / powers.sum(), rel=1e-5)
        assert found.contribution == pytest.approx(explained.probability - found.without)
    assert explained.probability == explained.prediction.top5[0][1]
    assert len({found.without for found in explained.contributions}) == len(CAREER)


def test_a_single_role_has_no_contribution(finalized: Path) -> None:
    (found,) = explain(load_bundle(finalized), CAREER[:1]).contributions

    assert (found.without, found.contribution) == (None, None)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*arguments: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["trajtune", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        assert (caught.value.code or 0) == code, err
        return out or err

    return run


def test_predict_prints_explanations_as_text_and_as_json(finalized: Path, typed: Callable[..., str]) -> None:
    output = typed("predict", finalized, *CAREER, "--explain")
    found = json.loads(typed("predict", finalized, *CAREER, "--explain", "--json"))

    rows = found["explanation"]["contributions"]
    assert [row["title"] for row in rows] == CAREER
    for row in rows:
        assert f"{100 * row['contribution']:+6.1f}  {row['title']}" in output
    assert "explanation" not in json.loads(typed("predict", finalized, *CAREER, "--json"))
    assert "nothing to predict from" in typed("predict", finalized, CAREER[0], "--explain")


def test_explanations_for_a_file_are_refused(
    finalized: Path, typed: Callable[..., str], tmp_path: Path
) -> None:
    arguments = ("--input", tmp_path / "a.jsonl", "--output", tmp_path / "b.jsonl", "--explain")

    assert "--explain needs one career" in typed("predict", finalized, *arguments, code=2)
