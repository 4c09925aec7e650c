"""Decides a single gate: passed, failed, or too few people."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from trajtune.experiment.gate_settings import GateSettings
from trajtune.finalizing.evaluate.bootstrap import Gain
from trajtune.finalizing.evaluate.lag import worse_for_movers
from trajtune.finalizing.evaluate.significance import (
    ONE_SIDED,
    POWER,
    holm,
    more_than_chance,
    people_needed,
    standard_error,
    visible,
)
from trajtune.page.format import listed, words

Result = Literal["passed", "failed", "too few people"]
PASSED: Final = "passed"
FAILED: Final = "failed"
TOO_FEW: Final = "too few people"

RESEARCH_DEFAULT: Final = "research_default"


def machine(value: float, limit: float | str, rule: str, *, passed: bool) -> dict[str, Any]:
    """Decide a gate that does not depend on people."""
    result = PASSED if passed else FAILED
    return {"result": result, "passed": passed, "value": value, "limit": limit, "rule": rule}


def coverage(
    value: float | None,
    people: int,
    *,
    nominal: float,
    limit: float,
    rule: str,
    effective: float | None = None,
) -> dict[str, Any]:
    """Decide whether a coverage differs from nominal by at most a limit.

    Args:
        value: Share of examples inside the interval; None if nothing was measured.
        people: Number of examples.
        nominal: Nominal coverage.
        limit: Largest allowed difference from nominal.
        rule: The gate in words.
        effective: Number of examples without weights that would have as much noise; None: ``people``.
    """
    if value is None or not people:
        return _gate(TOO_FEW, None, limit, rule, people, None)
    error = (nominal * (1 - nominal) / (effective or people)) ** 0.5
    distance = abs(value - nominal)
    if distance > limit and distance > more_than_chance(error):
        result: Result = FAILED
    else:
        result = PASSED if visible(error) <= limit else TOO_FEW
    return _gate(result, distance, limit, rule, people, people_needed(people, visible(error), limit))


def sets(found: Mapping[str, Any], *, nominal: float, limit: float, rule: str) -> dict[str, Any]:
    """Decide whether the coverage of title sets differs from nominal by at most a limit.

    A coverage above nominal is not a fault if every set has a single title, because no set can be smaller.

    Args:
        found: ``num``, ``coverage`` and ``mean_size``, from `evaluate_sets`.
        nominal: Nominal coverage.
        limit: Largest allowed difference from nominal.
        rule: The gate in words.
    """
    share = min(found["coverage"], nominal) if found["mean_size"] == 1 else found["coverage"]
    return coverage(share, found["num"], nominal=nominal, limit=limit, rule=rule)


def calibration(test: Mapping[str, Any], limit: float, rule: str) -> dict[str, Any]:
    """Decide whether the calibration error, corrected for chance, is below the limit; see `calibration_test`.

    Args:
        test: The entry ``test`` of ``metrics.json``.
        limit: Largest allowed error.
        rule: The gate in words.
    """
    debiased = test["ece_debiased"]
    if debiased is None:
        result: Result = TOO_FEW
    elif debiased >= limit and test["ece_p_value"] <= 2 * ONE_SIDED:
        result = FAILED
    else:
        result = PASSED if test["ece_power"] >= POWER else TOO_FEW
    return _gate(result, debiased, limit, rule, test["num_examples"], test["ece_people_needed"])


def lag(changers: Mapping[str, Any], limits: GateSettings, rule: str) -> dict[str, Any]:
    """Decide whether the model lags one step behind; see `lag`.

    Args:
        changers: The entry ``career_changers`` of ``metrics.json``.
        limits: The limits ``staying`` and ``movers_top5`` are used.
        rule: The gate in words.
    """
    staying, gains, detected = (changers[key] for key in ("staying", "movers_gains", "one_step_lag_detected"))
    pairs = [(staying if staying["num"] else None, limits.staying)]
    pairs += [(gain, limits.movers_top5) for gain in gains.values()]
    # The factor by which the number of people must grow so that each difference is visible.
    growth = [(visible(standard_error(found)) / limit) ** 2 for found, limit in pairs if found]
    all_measured = len(growth) == len(pairs)
    if detected:
        result: Result = FAILED
    else:
        result = PASSED if all_measured and max(growth) <= 1 else TOO_FEW
    people = staying["num"]
    needed = round(people * max(1.0, *growth)) if all_measured else None
    worse = worse_for_movers(gains)
    predicts = "predicts" if len(worse) == 1 else "predict"
    finding = f"{_named(worse)} {predicts} better where movers go" if worse else None
    return _gate(result, staying["excess"], limits.staying, rule, people, needed, finding)


def not_worse(gains: Mapping[str, Gain | None], people: int, limit: float, rule: str) -> dict[str, Any]:
    """Decide whether the model is not significantly worse than any of several others.

    Args:
        gains: Gain over each of the others; None if nothing was measured.
        people: Number of examples.
        limit: Smallest difference that must be visible.
        rule: The gate in words.
    """
    measured = {name: gain for name, gain in gains.items() if gain}
    if not measured:
        return _gate(TOO_FEW, None, limit, rule, people, None)
    needed = max(people_needed(people, visible(standard_error(gain)), limit) for gain in measured.values())
    worse = _significant(measured, "p_worse")
    result: Result = FAILED if worse else PASSED if needed <= people else TOO_FEW
    value = min(gain["gain"] for gain in measured.values())
    finding = f"significantly worse than {_named(worse)}" if worse else None
    return _gate(result, value, limit, rule, people, needed, finding)


def beats(
    gains: Mapping[str, Mapping[str, Gain | None]], people: int, limit: float, rule: str, *, own: str | None
) -> dict[str, Any]:
    """Decide whether the NLL is significantly below that of all others, and nothing is significantly worse.

    Args:
        gains: Gains in NLL and top-1 over each of the others.
        people: Number of people.
        limit: Gain in NLL that must be visible before the gate can fail for lack of a gain.
        rule: The gate in words.
        own: Name of the entry with the model's own configuration, which it need not beat; None without one.
    """
    nll = {name: gain["nll"] for name, gain in gains.items()}
    measured = {name: gain for name, gain in nll.items() if gain}
    if len(measured) < len(nll):
        return _gate(TOO_FEW, None, 0.0, rule, people, None)
    top1 = {name: gain["top1"] for name, gain in gains.items() if gain["top1"]}
    asked = {name: gain for name, gain in measured.items() if name != own}
    worse = list(dict.fromkeys([*_significant(measured, "p_worse"), *_significant(top1, "p_worse")]))
    better = _significant(asked, "p_better")
    not_shown = {name: gain for name, gain in asked.items() if name not in better}
    finding = None
    if worse:
        result: Result = FAILED
        finding = f"significantly worse than {_named(worse)}"
    elif not not_shown:
        result = PASSED
    else:
        seen = {name: visible(standard_error(gain)) for name, gain in not_shown.items()}
        result = TOO_FEW if any(size > limit for size in seen.values()) else FAILED
        finding = f"no significant gain over {_named(list(not_shown))}"
    needed = _people_for_gains(not_shown, people) if result == TOO_FEW else people
    value = min(gain["low"] for gain in asked.values())
    return _gate(result, value, 0.0, rule, people, needed, finding)


def _people_for_gains(gains: Mapping[str, Gain], people: int) -> int | None:
    """Return how many people would show these gains; None if one of them is a loss."""
    if any(gain["gain"] <= 0 for gain in gains.values()):
        return None
    return max(
        people_needed(people, visible(standard_error(gain), len(gains)), gain["gain"])
        for gain in gains.values()
    )


def _significant(gains: Mapping[str, Gain], p_value: str) -> list[str]:
    """Return the comparisons that are significant after Holm's correction."""
    corrected = holm({name: gain[p_value] for name, gain in gains.items()})
    return [name for name, p in corrected.items() if p <= ONE_SIDED]


def _named(names: list[str]) -> str:
    return listed([words(name) for name in names])


def _gate(
    result: Result,
    value: float | None,
    limit: float,
    rule: str,
    people: int,
    needed: int | None,
    finding: str | None = None,
) -> dict[str, Any]:
    return {
        "result": result,
        "passed": result == PASSED,
        "value": value,
        "limit": limit,
        "rule": rule,
        "finding": finding,
        "people": people,
        "people_needed": needed,
    }
