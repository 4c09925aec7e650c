"""The report's sections on what can be trusted: confidence, tenure, hireability, choice, export."""

from collections.abc import Mapping
from typing import Any

from trajtune.experiment.objective import DIRECTIONS, label
from trajtune.finalize.report.markdown import number, percent, table, words

_ERRORS = (
    ("expected calibration error, 10 bins of equal width", "ece"),
    ("expected calibration error, 15 bins of equally many people", "ece_equal_mass"),
    ("Brier score", "brier"),
)


def confidence(m: Mapping[str, Any]) -> str:
    """Calibration before and after, on test and cross-fitted on val, and beside other methods."""
    test, calibration = m["test"], m["calibration"]
    compared = calibration["compared_on_val"]
    on_test = [[label, number(test[f"{key}_raw"]), number(test[key])] for label, key in _ERRORS]
    on_val = [
        [label, *(number(found[key]) if found else "not known" for found in _methods(compared))]
        for label, key in _ERRORS
    ]
    bins = [
        [f"{row['low']:.0%} to {row['high']:.0%}", f"{row['num']:,}", *_said_and_was(row)]
        for row in m["reliability"]["calibrated"]
    ]
    best = other_calibration(compared)
    warning = f"\n\n**Careful: {calibration['warning']}.**" if "warning" in calibration else ""
    return (
        "## Confidence\n\nIf the model says 80 %, it should be right 8 times in 10. Smaller is better.\n\n"
        + table(["On test", "before calibration", "after"], on_test)
        + f"\n\n{calibration['method'].capitalize()}, on {calibration['num_examples']:,} people.{warning}\n\n"
        + table(["On val, cross-fitted", "none", "isotonic", "temperature"], on_val)
        + f"\n\n{best}\n\n"
        + table(["Calibrated confidence on test", "people", "said", "was right"], bins)
    )


def other_calibration(compared: Mapping[str, Any]) -> str:
    """Whether another calibration would be better than the one that the bundle holds, in a sentence."""
    if compared["best"] == "isotonic":
        return "Isotonic regression, as specified, is also the best of the three by Brier score."
    return (
        f"By Brier score {compared['best']} would be better here than isotonic regression, which is what "
        "the bundle holds, as specified."
    )


def _methods(compared: Mapping[str, Any]) -> list[Any]:
    return [compared[name] for name in ("none", "isotonic", "temperature")]


def tenure(m: Mapping[str, Any]) -> str:
    """Coverage and width of the tenure interval, and what is not known of roles still held."""
    test, calibration = m["test"], m["calibration"]
    if test["tenure_coverage"] is None:
        return f"## Tenure\n\nNot known: {test['tenure_coverage_reason']}."
    margin = calibration["tenure_margin_months"]
    moved = (
        f"Not corrected: {calibration['tenure_margin_months_reason']}."
        if margin is None
        else f"Both ends were moved outwards by {margin:.1f} months, from "
        f"{calibration['tenure_num_ended']:,} ended roles of val."
    )
    others = {"research_default": m["research_default"], **m["baselines"]}
    keys = ("tenure_mae_months", "tenure_coverage", "tenure_width_months")
    rows = [["**this model**", *(number(test[key]) for key in keys)]]
    rows += [[words(name), *(number(o[key]) for key in keys)] for name, o in others.items() if o]
    return (
        f"## Tenure\n\nThe interval should hold {percent(calibration['tenure_nominal_coverage'])} of the "
        f"tenures; on {test['num_tenures']:,} ended roles of test it holds "
        f"{percent(test['tenure_coverage'])}, is {test['tenure_width_months']:.1f} months wide on average, "
        f"and its middle is {test['tenure_mae_months']:.1f} months off. {moved} With the "
        f"{test['num_tenures_still_held']:,} roles still held, the share will end between "
        f"{percent(test['tenure_coverage_lowest'])} and {percent(test['tenure_coverage_highest'])}. Coverage "
        "by length of history stands under “For whom”.\n\n"
        + table(["", "months off", "inside", "months wide"], rows)
    )


def hireability(m: Mapping[str, Any]) -> str:
    """AUC, calibration, baselines and where the label comes from."""
    test = m["test"]
    others = {"research_default": m["research_default"], **m["baselines"]}
    keys = ("hireability_auc", "hireability_brier")
    rows = [["**this model**", *(number(test[key]) for key in keys)]]
    rows += [[words(name), *(number(o[key]) for key in keys)] for name, o in others.items() if o]
    bins = [
        [f"{row['low']:.0%} to {row['high']:.0%}", f"{row['num']:,}", *_said_and_was(row)]
        for row in m["reliability"]["hireability"]
    ]
    auc = (
        f"AUC {test['hireability_auc']:.3f}, Brier score {test['hireability_brier']:.3f}, base rate "
        f"{percent(test['hireability_base_rate'])}, on {test['num_hireabilities']:,} people"
        if test["hireability_auc"] is not None
        else f"AUC not known: {test['hireability_auc_reason']}"
    )
    return (
        f"## Hireability\n\nThe label is {m['hireability_label']}. {auc}. Calibration error "
        f"{number(test['hireability_ece'])} (10 bins of equal width); it is not corrected.\n\n"
        + table(["", "AUC", "Brier score"], rows)
        + "\n\n"
        + table(["Hireability on test", "people", "said", "was so"], bins)
    )


def _said_and_was(row: Mapping[str, Any]) -> list[str]:
    return [percent(row["confidence"]), percent(row["accuracy"])]


def selection(m: Mapping[str, Any]) -> str:
    """Search score against refit score, and how much the seed matters."""
    rows = []
    for name, found in m["selection"].items():
        searched, mean = found["search_value"], found["mean"]
        curse = None if searched is None or mean is None else mean - searched
        cells = (searched, mean, curse, found["spread"])
        rows.append([words(name), *(number(value) for value in cells)])
    broken = [f"{r['name']} with seed {r['seed']}: {r['error']}" for r in m["refits"] if r["error"]]
    num_seeds = len([r for r in m["refits"] if r["name"] == m["winner"]["name"]])
    seeds = "1 seed" if num_seeds == 1 else f"{num_seeds} seeds"
    metric = m["selection_metric"]
    name, best = label(metric), "least" if DIRECTIONS[metric] == "minimize" else "greatest"
    header = ["Configuration", f"{name} in the search", "refitted, mean", "difference", "spread over seeds"]
    return (
        f"## How it was chosen\n\n{m['winner']['name'].capitalize()}, seed {m['winner']['seed']}: the {best} "
        f"{name} on val, averaged over {seeds}. A search's best value is partly luck; the "
        "third column shows how much.\n\n"
        + table(header, rows)
        + "".join(f"\n\nBroke: {line}" for line in broken)
    )


def export(m: Mapping[str, Any]) -> str:
    """What was exported, how exactly, and how fast it answers."""
    found, latency = m["export"], m["latency"]
    missing = "" if latency["node"] else f"\n\nNot measured in Node: {latency['node_reason']}."
    return (
        f"## Export\n\nONNX opset {found['opset']}, {found['num_nodes']} nodes, "
        f"{found['num_bytes'] / 1e6:.1f} MB. Largest difference from torch over "
        f"{found['parity_rows']:,} careers in many batch shapes: {found['parity_max_abs_error']:.1e}. "
        "One career at a time on one thread:\n\n"
        + table(["milliseconds", "p50", "p95", "p99"], latency_rows(latency))
        + missing
    )


def latency_rows(latency: Mapping[str, Any]) -> list[list[str]]:
    """A row for Python, and one for Node where it was measured."""
    measured = {"Python": latency}
    if latency["node"]:
        measured[f"Node {latency['node']['version']}"] = latency["node"]
    keys = ("p50_ms", "p95_ms", "p99_ms")
    return [[where, *(f"{found[key]:.2f}" for key in keys)] for where, found in measured.items()]
