"""`trajtune predict`: a missing bundle, and titles that the service confuses with others."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Trajtune, assert_one_line
from tests.support.finalized import renamed
from trajtune import cli


@pytest.mark.parametrize("arguments", [["nowhere", "Engineer"], [".", "Engineer"]])
def test_a_missing_bundle_is_one_line(trajtune: Trajtune, arguments: list[str]) -> None:
    assert_one_line(trajtune("predict", *arguments), "BundleError")


def test_differences_of_the_service_are_warned_of_and_can_be_shown(
    finalized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = renamed(finalized, tmp_path / "bundle", ["C++", "C", "工程师"])

    def predicted(*arguments: str) -> tuple[dict[str, Any], list[str]]:
        monkeypatch.setattr(sys, "argv", ["trajtune", "predict", str(bundle), *arguments, "--json"])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert not caught.value.code
        said = capsys.readouterr()
        return json.loads(said.out), said.err.splitlines()

    own, warnings = predicted("C", "工程师")
    assert warnings == [
        "Warning: the service reads 'C' as 'C++'.",
        "Warning: the service does not find '工程师'.",
    ]
    assert own["service_sees"] == [["C", "C++"], ["工程师", None]]
    served, warnings = predicted("C", "工程师", "--as-service")
    assert warnings[0] == "Warning: the model does not know the title '工程师'."
    assert served["top5"] == predicted("C++", "Nobody")[0]["top5"] != own["top5"]
