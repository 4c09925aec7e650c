"""`trajtune monitor` as a user types it: exit codes, one line when nothing is newer, JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Trajtune, assert_one_line
from tests.support.careers import changing_careers, loaded
from tests.support.newer import newer
from trajtune.careers import read
from trajtune.careers.schema import LoadedCareers

pytestmark = pytest.mark.slow


def serve(monkeypatch: pytest.MonkeyPatch, careers: LoadedCareers) -> None:
    """Have every source give these careers; dates after today are refused in real ones."""
    monkeypatch.setattr(read, "load_career_sequences", lambda source, data: careers)


def test_a_gate_that_no_longer_holds_exits_3(
    trajtune: Trajtune, finalized: Path, monkeypatch: pytest.MonkeyPatch, ray_local: None
) -> None:
    def elsewhere(career: dict[str, Any]) -> None:
        career["titles"][-1] = "VP Site Constructor"

    serve(monkeypatch, newer(1200, elsewhere))
    outcome = trajtune("monitor", str(finalized), "--json")
    assert outcome.code == 3, outcome
    assert "one_step_lag" in json.loads(outcome.out)["no_longer_hold"]
    assert outcome.err.strip().splitlines()[-1].startswith("GateError: Gates of")


def test_nothing_newer_is_one_line_and_exits_0(
    trajtune: Trajtune, finalized: Path, monkeypatch: pytest.MonkeyPatch, ray_local: None
) -> None:
    serve(monkeypatch, loaded(changing_careers(300)))
    outcome = trajtune("monitor", str(finalized), "smoke")
    assert outcome.code == 0, outcome
    (line,) = outcome.out.strip().splitlines()
    assert line.startswith("Nothing newer is known")


def test_a_bundle_that_is_not_there_is_one_line(trajtune: Trajtune) -> None:
    assert_one_line(trajtune("monitor", "no-such-bundle"), "BundleError")
