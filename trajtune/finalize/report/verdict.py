"""What every form of the report says first: the verdict, the warnings, the gates, what was measured."""

from collections.abc import Mapping
from typing import Any

from trajtune.finalize.evaluate.gates import failed
from trajtune.page.format import listed, number, percent, words


def verdict(m: Mapping[str, Any]) -> tuple[str, str]:
    """Ship or not, in a sentence, and why, in two or three."""
    not_passed = failed(m["gates"])
    test = m["test"]
    best_name, best = max(m["baselines"].items(), key=lambda item: item[1]["top1"])
    reason = (
        f"It names the next role of {percent(test['next_role_top1'])} of {test['num_examples']:,} people "
        f"it never saw; the best baseline ({words(best_name)}) of {percent(best['top1'])}."
        f"{_doubt(m['gains'][best_name]['top1'], test['num_examples'])}"
    )
    if "beats_baselines" in not_passed:
        return "Do not ship: the model does not beat every baseline.", reason
    if not_passed:
        return f"Do not ship yet: {listed([words(name) for name in not_passed])} failed.", reason
    return "Ship.", f"{reason} Every gate passed."


def _doubt(gain: Mapping[str, float] | None, people: int) -> str:
    """The sentences that are added where the difference from the best rule may be chance."""
    if gain is None or not gain["low"] <= 0 <= gain["high"]:
        return ""
    too_few = (
        f" {people:,} people are too few to tell the two apart: the difference is between "
        f"{100 * gain['low']:+.1f} and {100 * gain['high']:+.1f} points (95 %)."
    )
    if not gain["gain"]:
        return too_few
    # The interval narrows with the root of the number of people, and must not reach from the gain to 0.
    needed = people * ((gain["high"] - gain["low"]) / 2 / abs(gain["gain"])) ** 2
    return (
        f"{too_few} About {float(f'{needed:.2g}'):,.0f} people would be needed to confirm a difference of "
        "this size."
    )


def warnings(m: Mapping[str, Any]) -> list[str]:
    """Sentences that must not be overlooked."""
    sentences = []
    if m["source"] == "simulated":
        sentences.append(
            "The careers are SIMULATED. These numbers say that the system works, not how good it is on "
            "people."
        )
    if m["test_openings"] > 1:
        sentences.append(
            f"This test split has been opened {m['test_openings']} times; each time it proves less."
        )
    if "warning" in m["calibration"]:
        sentences.append(f"{m['calibration']['warning']}.")
    return sentences


def measured_on(m: Mapping[str, Any]) -> str:
    """The data, the splits, and how often test has been opened."""
    cutoffs = m["cutoffs"]
    if m["refit_on"] == "train":
        how = (
            f"Trained on careers before {cutoffs['train']}, chosen and calibrated on those before "
            f"{cutoffs['val']}"
        )
    else:
        how = (
            f"Chosen by training on careers before {cutoffs['train']} and measuring on those before "
            f"{cutoffs['val']}, trained again on everything known before {cutoffs['calibration']}, "
            f"calibrated on the careers from then to {cutoffs['val']}"
        )
    first = " This test split has been opened for the first time." if m["test_openings"] == 1 else ""
    return (
        f"Source: {m['source']}, snapshot {m['snapshot'][:12]}, as of {m['as_of']}. {how}, measured on "
        f"{m['test']['num_examples']:,} later ones.{first}"
    )


def freshness(m: Mapping[str, Any]) -> str:
    """What training again on everything known is worth, in sentences; empty where that was not done."""
    selected, gain = m["as_selected"], m["gains"].get("as_selected", {}).get("nll")
    if selected is None:
        return ""
    known = selected["both_know"]
    compared = (
        ""
        if gain is None
        else f" On the {known['num']:,} people whose next title both know, this model has an NLL of "
        f"{number(known['nll'])} and the other of {number(known['as_selected_nll'])}: a gain of "
        f"{gain['gain']:+.3f} nats ({gain['low']:+.3f} to {gain['high']:+.3f}, 95 %)."
    )
    return (
        f"As selected: the same configuration trained on careers before {m['cutoffs']['train']} alone, as it "
        f"was chosen. This model knows everything before {m['cutoffs']['calibration']}.{compared}"
    )


def gate_rows(m: Mapping[str, Any]) -> list[tuple[str, str, Any, Any, str]]:
    """Each gate: name in words, result, value, limit and rule."""
    return [
        (words(name), "pass" if gate["passed"] else "FAIL", gate["value"], gate["limit"], gate["rule"])
        for name, gate in m["gates"].items()
    ]
