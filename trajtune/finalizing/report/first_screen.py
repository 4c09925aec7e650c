"""The first screen of a bundle's report: the verdict, its numbers, why, and what to do next."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trajtune.finalizing.evaluate.gates import failed, undecided
from trajtune.finalizing.report.predictors import next_role_rows
from trajtune.finalizing.report.verdict import RESULTS, measured_gate, next_step, verdict
from trajtune.page.colours import BASELINE, DEFAULT, MODEL, POSSIBLE
from trajtune.page.first_screen import FirstScreen, Headline, Other, Tone
from trajtune.page.format import words
from trajtune.page.units import metric

_HEADLINES: Final = (
    ("top1", "Next title is the first guess", "Share of people. More is better.", True),
    ("top5", "Next title is in the first five", "Share of people. More is better.", True),
    ("nll", "Surprise (NLL)", "Negative log-likelihood of the next title. Less is better.", False),
)
"""Metric, name, note, and whether more is better."""

TONES: Final[Mapping[str, Tone]] = {"passed": "good", "failed": "bad"}
"""The tone of a gate's result; others are not decided."""


def first_screen(m: Mapping[str, Any]) -> FirstScreen:
    """The first screen, from the content of ``metrics.json``."""
    badge, tone = _badge(m["gates"])
    return FirstScreen(
        badge=badge,
        tone=tone,
        headlines=[
            _headline(m, *each) for each in _HEADLINES if m["test"][f"next_role_{each[0]}"] is not None
        ],
        why=[
            ("Why", f"{verdict(m)[1]}{_why_not(m['gates'])}"),
            ("What to do next", _capitalized(next_step(m).removeprefix("Next: "))),
        ],
        chips=[
            (
                f"{words(name)}: {RESULTS.get(gate['result'], gate['result'])}",
                TONES.get(gate["result"], "open"),
            )
            for name, gate in m["gates"].items()
        ],
    )


def _badge(gates: Mapping[str, Mapping[str, Any]]) -> tuple[str, Tone]:
    if failed(gates):
        return "Do not ship", "bad"
    return ("Too few people", "open") if undecided(gates) else ("Ship", "good")


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _why_not(gates: Mapping[str, Mapping[str, Any]]) -> str:
    """The values of the gates that failed, beside their limits."""
    values = [
        f"{words(name)} is {measured_gate(name, gate)}"
        for name, gate in gates.items()
        if gate["result"] == "failed"
    ]
    return f" Failed: {'; '.join(values)}." if values else ""


def _headline(m: Mapping[str, Any], key: str, name: str, note: str, more_is_better: bool) -> Headline:
    own, rows = m["test"][f"next_role_{key}"], next_role_rows(m)
    return Headline(
        name=name,
        text=metric(key, own).text,
        value=own,
        colour=MODEL,
        others=_others(m, rows, key, more_is_better),
        note=note,
        higher_is_better=more_is_better,
    )


def _others(
    m: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]], key: str, more_is_better: bool
) -> Sequence[Other]:
    """The best baseline by this metric, the research default and the best possible, where they are known."""
    values = {name: row[key] for name, row in m["baselines"].items() if row[key] is not None}
    best = (max if more_is_better else min)(values, key=lambda name: values[name], default=None)
    found = {
        **({f"best baseline ({words(best)})": (m["baselines"][best], BASELINE)} if best else {}),
        "research default": (rows.get("research default"), DEFAULT),
        "best possible": (rows.get("best possible"), POSSIBLE),
    }
    return [
        Other(name, metric(key, row[key]).text, row[key], colour)
        for name, (row, colour) in found.items()
        if row and row.get(key) is not None
    ]
