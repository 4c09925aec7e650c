"""What every form of the report says first: the verdict, the warnings, the gates, what was measured."""

from collections.abc import Mapping
from typing import Any

from trajtune.dataset.profile import served_warnings
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
        f"{_doubt(m['gains'][best_name]['top1'], test['num_examples'])}{_nll_gain(m)}"
    )
    if "beats_baselines" in not_passed:
        if _is_better(m):
            too_few = "test has too few people to show that the model beats every baseline"
            return f"Do not ship yet: {too_few}.", reason
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
    if gain["gain"] < 0:
        return too_few
    # Half the interval is 1.96 standard errors, which shrink with the root of the number of people. A true
    # gain of this size shows with a probability of 80 % where it is 1.96 + 0.84 standard errors.
    needed = people * ((gain["high"] - gain["low"]) / 2 / gain["gain"] * (1.96 + 0.84) / 1.96) ** 2
    return (
        f"{too_few} About {float(f'{needed:.2g}'):,.0f} people would show a difference of this size in four "
        "tests of five."
    )


def _is_better(m: Mapping[str, Any]) -> bool:
    """Whether the NLL is below every baseline's, and top-1 not significantly below any of theirs."""
    gains = [m["gains"][name] for name in m["baselines"]]
    return all(
        gain["nll"] and gain["nll"]["gain"] > 0 and gain["top1"] and gain["top1"]["high"] >= 0
        for gain in gains
    )


def _nll_gain(m: Mapping[str, Any]) -> str:
    """The gain in NLL over the baseline where it is smallest."""
    gains = {name: gain for name in m["baselines"] if (gain := m["gains"][name]["nll"])}
    if not gains:
        return ""
    name, gain = min(gains.items(), key=lambda item: item[1]["gain"])
    return (
        f" Its NLL is {number(m['test']['next_role_nll'])} nats, {gain['gain']:+.3f} better than that of the "
        f"nearest baseline ({words(name)}; {gain['low']:+.3f} to {gain['high']:+.3f}, 95 %)."
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
    if "titles" in m["data"]:
        sentences += served_warnings(m["data"]["titles"])
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
