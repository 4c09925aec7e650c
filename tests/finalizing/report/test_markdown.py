import json
import re
from pathlib import Path
from typing import Any

from trajtune.finalizing.report.markdown import report_text
from trajtune.finalizing.report.verdict import gate_value
from trajtune.page.units import metric


def test_the_report_begins_with_the_verdict(finalized: Path) -> None:
    report = (finalized / "evaluation_report.md").read_text()
    assert re.match(r"# Evaluation of searched\n\n\*\*(Ship|Do not ship)", report)
    assert "has been opened for the first time" in report
    assert "nan" not in report.lower().split()


def test_it_is_one_page_with_every_gate_and_every_predictor(finalized: Path, metrics: dict[str, Any]) -> None:
    report = (finalized / "evaluation_report.md").read_text()
    assert len(report.splitlines()) < 60
    for name, gate in metrics["gates"].items():
        result = {"passed": "pass", "failed": "**FAIL**"}.get(gate["result"], "**too few people**")
        assert f"| {name.replace('_', ' ')} | {result} | {gate_value(name, gate['value']).text} |" in report
    for name in ("research default", *(name.replace("_", " ") for name in metrics["baselines"])):
        assert f"\n| {name} | " in report
    own = [metric(name, metrics["test"][f"next_role_{name}"]).text for name in ("top1", "top5", "nll")]
    assert f"| **this model** | {' | '.join(own)} |" in report


def test_the_best_possible_is_there_where_it_is_known(metrics: dict[str, Any]) -> None:
    limit = {"top1": 0.75, "top5": 0.875, "nll": 1.25}
    assert "| best possible |" not in report_text(metrics)
    assert "| best possible | 75.0 % | 87.5 % | 1.250 nats |" in report_text(
        {**metrics, "bayes_limit": limit}
    )


def test_the_report_of_a_bundle_is_made_of_its_metrics_alone(finalized: Path) -> None:
    content = json.loads((finalized / "metrics.json").read_text())
    assert report_text(content) == (finalized / "evaluation_report.md").read_text()
