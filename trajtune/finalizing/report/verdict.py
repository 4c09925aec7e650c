"""What every report begins with: the verdict, the warnings, the gates, and what was measured."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from trajtune.dataset.profiling.warnings import served_warnings
from trajtune.finalizing.evaluate.decide import TOO_FEW
from trajtune.finalizing.evaluate.gates import failed, undecided, winner_is_default
from trajtune.page.format import listed, number, percent, words
from trajtune.page.units import Quantity, decimal, milliseconds, nats, points, share

SHIP: Final = "Ship."

_ADVICE: Final = {
    "calibration": "calibrate on more people (`finalize.calibration_share`)",
    "set_coverage": "calibrate on more people (`finalize.calibration_share`)",
    "tenure_coverage": "calibrate on more people (`finalize.calibration_share`)",
    "tenure_score": "weigh the tenure loss more (`training.tenure_weight`)",
    "hireability": "weigh the hireability loss more (`training.hireability_weight`), or give a label of your "
    "own (`data.hireable_key`)",
    "one_step_lag": "check the order of the roles in the data report, then train on more careers",
    "beats_baselines": "train on more careers, then search longer (`--trials`)",
    "latency": "export one seed (`finalize.export: best_seed`)",
    "parity": "report the bundle",
}
"""What to do about a gate that failed."""


def verdict(m: Mapping[str, Any]) -> tuple[str, str]:
    """One sentence on whether to ship, and two or three on why."""
    test = m["test"]
    best_name, best = max(m["baselines"].items(), key=lambda item: item[1]["top1"])
    reason = (
        f"The first guess is right for {percent(test['next_role_top1'])} of {test['num_examples']:,} people "
        f"in test; that of the best baseline ({words(best_name)}) for {percent(best['top1'])}"
        f"{_top1_gain(m['gains'][best_name]['top1'])}.{_nll_gain(m)}{_default_won(m)}"
    )
    decision = _decision(m["gates"])
    return decision, reason if decision != SHIP else f"{reason} Every gate passed."


def next_step(m: Mapping[str, Any]) -> str:
    """What to do now, in one or two sentences."""
    gates = m["gates"]
    advice = list(dict.fromkeys(_ADVICE[name] for name in failed(gates) if name in _ADVICE))
    sentences = [f"Next: {'; '.join(advice)}."] if advice else []
    if names := undecided(gates):
        sentences.append(f"{len(names)} of {len(gates)} gates: too few people. {_more_people(m, names)}")
    if not sentences:
        sentences.append("Next: run `trajtune verify` on the machine that is to serve the bundle.")
    return " ".join(sentences)


def closing(m: Mapping[str, Any]) -> tuple[str, str]:
    """The last lines of console and reports: the verdict, and the next step."""
    return verdict(m)[0], next_step(m)


def _decision(gates: Mapping[str, Mapping[str, Any]]) -> str:
    if names := failed(gates):
        return f"Do not ship: {listed([_with_finding(name, gates[name]) for name in names])} failed."
    if names := undecided(gates):
        many = "1 gate has" if len(names) == 1 else f"{len(names)} of {len(gates)} gates have"
        return f"Do not ship yet: {many} too few people ({listed([words(name) for name in names])})."
    return SHIP


def _with_finding(name: str, gate: Mapping[str, Any]) -> str:
    return f"{words(name)} ({gate['finding']})" if gate.get("finding") else words(name)


def _more_people(m: Mapping[str, Any], names: Sequence[str]) -> str:
    """How many more test careers would decide these gates with a probability of 80 %."""
    growth = [
        gate["people_needed"] / gate["people"]
        for gate in (m["gates"][name] for name in names)
        if gate["people_needed"] and gate["people"]
    ]
    more = (max(growth) - 1) * m["test"]["num_examples"] if growth else 0
    if more < 1:
        return "More test careers, or a smaller second number in `split.fractions`, are needed to decide."
    least = "At least about" if len(growth) < len(names) else "About"
    return (
        f"{least} {float(f'{more:.2g}'):,.0f} more test careers, or a smaller second number in "
        "`split.fractions`, are needed to decide."
    )


def _default_won(m: Mapping[str, Any]) -> str:
    if not winner_is_default(m):
        return ""
    return " The winner is the research default itself: the search found nothing better on val."


def _top1_gain(gain: Mapping[str, float] | None) -> str:
    """The gain in top 1 over the best baseline, in brackets."""
    if gain is None:
        return ""
    points = (f"{100 * gain[key]:+.1f}" for key in ("gain", "low", "high"))
    return " ({} points; {} to {}, 95 %)".format(*points)


def _nll_gain(m: Mapping[str, Any]) -> str:
    """The gain in NLL over the nearest of the baselines and the research default."""
    others = [*m["baselines"], *(["research_default"] if m["research_default"] else [])]
    gains = {name: gain for name in others if (gain := m["gains"][name]["nll"])}
    if not gains:
        return ""
    name, gain = min(gains.items(), key=lambda item: item[1]["gain"])
    return (
        f" Its NLL is {number(m['test']['next_role_nll'])} nats; the gain over the nearest predictor "
        f"({words(name)}) is {gain['gain']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f}, 95 %)."
    )


def warnings(m: Mapping[str, Any]) -> list[str]:
    """Sentences that must not be overlooked."""
    sentences = []
    if m["source"] == "simulated":
        sentences.append(
            "The careers are SIMULATED. These numbers show that the system works, not how good the model is "
            "on people."
        )
    if m["test_openings"] > 1:
        sentences.append(
            f"This test split has been opened {m['test_openings']} times; its results mean less each time."
        )
    if "warning" in m["calibration"]:
        text = m["calibration"]["warning"]
        sentences.append(f"The {text.removeprefix('the ')}." if text.startswith("the ") else f"{text}.")
    if "titles" in m["data"]:
        sentences += served_warnings(m["data"]["titles"])
    return sentences


def measured_on(m: Mapping[str, Any]) -> str:
    """The data, the splits, and how often test has been opened."""
    cutoffs = m["cutoffs"]
    if m["refit_on"] == "train":
        how = (
            f"Trained on careers before {cutoffs['train']}; chosen and calibrated on careers before "
            f"{cutoffs['val']}"
        )
    else:
        how = (
            f"Chosen by training on careers before {cutoffs['train']} and measuring on careers before "
            f"{cutoffs['val']}; trained again on everything known before {cutoffs['calibration']}; "
            f"calibrated on careers from then to {cutoffs['val']}"
        )
    first = " This test split has been opened for the first time." if m["test_openings"] == 1 else ""
    return (
        f"Source: {m['source']}, snapshot {m['snapshot'][:12]}, as of {m['as_of']}. {how}; measured on "
        f"{m['test']['num_examples']:,} later careers.{first}"
    )


def freshness(m: Mapping[str, Any]) -> str:
    """Sentences on the gain from training again on everything known; empty if that was not done."""
    selected, gain = m["as_selected"], m["gains"].get("as_selected", {}).get("nll")
    if selected is None:
        return ""
    known = selected["both_know"]
    compared = (
        ""
        if gain is None
        else f" For the {known['num']:,} people whose next title both know, this model has an NLL of "
        f"{number(known['nll'])} nats and the other {number(known['as_selected_nll'])} nats: a gain of "
        f"{gain['gain']:+.3f} nats ({gain['low']:+.3f} to {gain['high']:+.3f}, 95 %)."
    )
    return (
        f"As selected: the same configuration, trained only on careers before {m['cutoffs']['train']}, as in "
        f"the search. This model was trained on everything before {m['cutoffs']['calibration']}.{compared}"
    )


def gate_rows(m: Mapping[str, Any]) -> list[tuple[str, str, Quantity, Quantity, str, str]]:
    """Each gate by the columns of `GATE_COLUMNS`, values and limits with their units."""
    return [
        (
            words(name),
            RESULTS.get(gate["result"], gate["result"]),
            *(gate_value(name, gate["value"]), gate_limit(name, gate["limit"])),
            _people(gate),
            f"{gate['rule']}: {gate['finding']}" if gate.get("finding") else gate["rule"],
        )
        for name, gate in m["gates"].items()
    ]


def gate_value(name: str, value: float | str | None) -> Quantity:
    """A gate's value with the unit of this gate.

    Examples:
        >>> gate_value("calibration", 0.018367).text, gate_value("one_step_lag", -0.0211).text
        ('1.8 %', '-2.1 points')
        >>> gate_value("parity", "1e-05 of the output's range + 0.0001 relative").text
        "0.00001 of the output's range + 0.0001 relative"
    """
    if isinstance(value, str):
        return Quantity(None, _EXPONENT.sub(lambda found: number(float(found[0])), value))
    unit = _UNITS.get(name)
    return unit(value) if unit and value is not None else Quantity(value, number(value))


def gate_limit(name: str, limit: float | str | None) -> Quantity:
    """What a gate's limit says, with its unit.

    Examples:
        >>> gate_limit("calibration", 0.05).text, gate_limit("beats_baselines", 0.0).text
        ('at most 5.0 %', 'above 0.000 nats')
        >>> gate_limit("hireability", 0.05).text
        'a loss of 0.050 must be visible'
    """
    unit = _LIMIT_UNITS.get(name)
    of = unit(limit) if unit and isinstance(limit, float | int) else gate_value(name, limit)
    return Quantity(of.value, _LIMITS.get(name, "at most {}").format(of.text))


def measured_gate(name: str, gate: Mapping[str, Any]) -> str:
    """A gate's value and limit in a line, for example ``1.8 % (at most 5.0 %)``."""
    return f"{gate_value(name, gate['value']).text} ({gate_limit(name, gate['limit']).text})"


def _people(gate: Mapping[str, Any]) -> str:
    """How many people decided, and how many are needed if these are too few."""
    people, needed = gate.get("people"), gate.get("people_needed")
    if people is None:
        return ""
    return f"{people:,}" + (f" of {needed:,}" if gate["result"] == TOO_FEW and needed else "")


GATE_COLUMNS: Final = ("Gate", "Result", "Value", "Limit", "People", "Rule")
RESULTS: Final = {"passed": "pass", "failed": "FAIL"}
"""How a gate's result is shown; others as they are."""


def _distance(value: float) -> Quantity:
    """A distance between two shares; it has no sign."""
    return Quantity(value, f"{100 * value:.1f} points")


def _gain(value: float) -> Quantity:
    """A gain, with its sign."""
    return Quantity(value, f"{value:+.3f}")


def _gain_in_percent(value: float) -> Quantity:
    """A relative gain in percent, with its sign."""
    return Quantity(value, f"{100 * value:+.1f} %")


_EXPONENT: Final = re.compile(r"\d+(?:\.\d+)?e-?\d+")
_UNITS: Final[Mapping[str, Callable[[float], Quantity]]] = {
    "calibration": share,
    "set_coverage": _distance,
    "tenure_coverage": _distance,
    "tenure_score": _gain_in_percent,
    "hireability": _gain,
    "one_step_lag": points,
    "beats_baselines": nats,
    "latency": milliseconds,
}
"""The unit of each gate's value; `parity` has none."""

_LIMIT_UNITS: Final[Mapping[str, Callable[[float], Quantity]]] = {
    "tenure_score": share,
    "hireability": decimal,
    "one_step_lag": _distance,
}
"""The unit of a limit, where it differs from that of the value."""

_LIMITS: Final[Mapping[str, str]] = {
    "tenure_score": "a loss of {} must be visible",
    "hireability": "a loss of {} must be visible",
    "beats_baselines": "above {}",
}
"""What a limit means, where it is not the largest value: a gain over the baselines must not be significantly
below 0, and there must be enough people to see a loss of this size."""
