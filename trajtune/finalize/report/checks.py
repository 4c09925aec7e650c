"""The page's sections on what can be trusted: confidence, tenure, hireability, choice, export."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from trajtune.experiment.objective import label
from trajtune.finalize.report.cells import OURS, cell, others_of
from trajtune.finalize.report.markdown import words
from trajtune.finalize.report.text_checks import latency_rows, other_calibration
from trajtune.page import COLOURS, Page


def confidence(page: Page, m: Mapping[str, Any]) -> None:
    """Reliability before and after calibration, on test and cross-fitted on val."""
    test, calibration = m["test"], m["calibration"]
    page.section(
        "Confidence",
        "If the model says 80 %, it should be right 8 times in 10: on the diagonal. Below it the model is "
        f"surer than it should be. {other_calibration(calibration['compared_on_val'])}",
    )
    raw = {"before calibration": m["reliability"]["raw"]}
    _reliability(page, "On test", {**raw, "after calibration": m["reliability"]["calibrated"]})
    on_val = {"before calibration": calibration["reliability_val_raw"]}
    if calibration["reliability_val"]:
        on_val["after, cross-fitted"] = calibration["reliability_val"]
    _reliability(page, "On val", on_val)
    compared = calibration["compared_on_val"]
    errors = (
        ("ECE, 10 bins of equal width", "ece"),
        ("ECE, 15 bins of equally many people", "ece_equal_mass"),
        ("Brier score", "brier"),
    )
    page.table(
        [
            "",
            "test, before",
            "test, after",
            *(f"val, {words(n)}" for n in ("none", "isotonic", "temperature")),
        ],
        [
            (
                label,
                cell(test[f"{key}_raw"]),
                cell(test[key]),
                *(
                    cell(compared[n][key] if compared[n] else None)
                    for n in ("none", "isotonic", "temperature")
                ),
            )
            for label, key in errors
        ],
    )


def tenure(page: Page, m: Mapping[str, Any]) -> None:
    """Coverage and width by length of history."""
    test, nominal = m["test"], m["calibration"]["tenure_nominal_coverage"]
    page.section(
        "Tenure",
        f"The interval should hold {nominal:.0%} of the tenures that end. Calibrated on "
        f"{m['calibration']['tenure_num_ended']:,} ended roles of val. Of the "
        f"{test['num_tenures_still_held']:,} roles of test that are still held nobody knows "
        "the tenure: with them, the share that will turn out inside lies between the two bounds.",
    )
    rows = [row for row in m["segments"]["history_length"] if row["tenure_coverage"] is not None]
    if rows:
        names = [row["segment"] for row in rows]
        coverage = go.Figure(go.Bar(name="inside", x=names, y=[row["tenure_coverage"] for row in rows]))
        coverage.add_hline(y=nominal, line_dash="dash", annotation_text=f"nominal {nominal:.0%}")
        coverage.update_layout(yaxis_title="share of ended roles inside", yaxis_range=[0, 1])
        page.figure(coverage, "; ".join(f"{r['segment']}: {r['tenure_coverage']:.0%} inside" for r in rows))
        width = go.Figure(go.Bar(x=names, y=[row["tenure_width_months"] for row in rows]))
        width.update_layout(yaxis_title="width of the interval, months")
        page.figure(width, "; ".join(f"{r['segment']}: {r['tenure_width_months']:.0f} months" for r in rows))
    keys = ("num_tenures", "tenure_mae_months", "tenure_coverage", "tenure_width_months")
    bounds = ("tenure_coverage_lowest", "tenure_coverage_highest")
    page.table(
        ["", "ended roles", "months off", "inside", "months wide", "with roles still held, least", "most"],
        [
            (name, *(cell(row[key]) for key in (*keys, *bounds)))
            for name, row in {OURS: test, **others_of(m)}.items()
        ],
    )


def hireability(page: Page, m: Mapping[str, Any]) -> None:
    """Reliability, ranking and the label's source."""
    page.section("Hireability", f"The label is {m['hireability_label']}. It is shown as the model gives it.")
    _reliability(page, "On test", {"hireability": m["reliability"]["hireability"]})
    keys = ("num_hireabilities", "hireability_base_rate", "hireability_auc", "hireability_brier")
    page.table(
        ["", "known outcomes", "base rate", "AUC", "Brier score", "calibration error"],
        [
            (
                name,
                *(cell(row[key]) for key in keys),
                cell(row.get("hireability_ece")) if name == OURS else "",
            )
            for name, row in {OURS: m["test"], **others_of(m)}.items()
        ],
    )


def refits(page: Page, m: Mapping[str, Any]) -> None:
    """Spread over seeds, and search score against refit score."""
    chosen = m["winner"]
    page.section(
        "How it was chosen",
        f"{chosen['name'].capitalize()}, seed {chosen['seed']}: the least NLL on val, averaged over seeds. A "
        "search's best value is partly luck; the difference shows how much.",
    )
    figure = go.Figure()
    metric = m["selection_metric"]
    done = [refit for refit in m["refits"] if refit[metric] is not None]
    figure.add_scatter(
        name="refits, a seed each",
        mode="markers",
        x=[refit["name"] for refit in done],
        y=[refit[metric] for refit in done],
        text=[f"seed {refit['seed']}" for refit in done],
    )
    searched = {
        name: s["search_value"] for name, s in m["selection"].items() if s["search_value"] is not None
    }
    figure.add_scatter(
        name="in the search",
        mode="markers",
        marker={"symbol": "x", "size": 10},
        x=list(searched),
        y=list(searched.values()),
    )
    figure.update_layout(yaxis_title=f"{label(metric)} on val")
    page.figure(figure, "; ".join(f"{name}: mean {cell(s['mean'])}" for name, s in m["selection"].items()))
    rows = []
    for name, s in m["selection"].items():
        curse = None if None in (s["mean"], s["search_value"]) else s["mean"] - s["search_value"]
        rows.append((name, *(cell(value) for value in (s["search_value"], s["mean"], curse, s["spread"]))))
    page.table(
        [
            "Configuration",
            f"{label(metric)} in the search",
            "refitted, mean",
            "difference",
            "spread over seeds",
        ],
        rows,
    )


def export(page: Page, m: Mapping[str, Any]) -> None:
    """What was exported, how exactly, how fast it answers."""
    found = m["export"]
    missing = "" if m["latency"]["node"] else f" Not measured in Node: {m['latency']['node_reason']}."
    page.section(
        "Export and speed",
        f"ONNX opset {found['opset']}, {found['num_nodes']} nodes, {found['num_bytes'] / 1e6:.1f} MB. "
        f"Largest difference of a logit from torch over {found['parity_rows']:,} careers in many batch "
        f"shapes: {found['parity_max_abs_error']:.1e}. One career at a time, one thread.{missing}",
    )
    page.table(["milliseconds", "p50", "p95", "p99"], latency_rows(m["latency"]))


def _reliability(page: Page, where: str, curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Confidence against accuracy; a point's size is its number of people."""
    figure = go.Figure(
        go.Scatter(
            name="as it should be",
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"dash": "dash", "color": "#57606a"},
        )
    )
    for (name, bins), colour in zip(curves.items(), COLOURS, strict=False):
        people = max(1, sum(row["num"] for row in bins))
        figure.add_scatter(
            name=name,
            mode="lines+markers",
            x=[row["confidence"] for row in bins],
            y=[row["accuracy"] for row in bins],
            text=[f"{row['num']:,} people" for row in bins],
            line={"color": colour},
            marker={"color": colour, "size": [6 + 24 * (row["num"] / people) ** 0.5 for row in bins]},
        )
    figure.update_layout(
        xaxis_title=f"{where}: said", yaxis_title="was so", xaxis_range=[0, 1], yaxis_range=[0, 1.02]
    )
    summary = "; ".join(
        f"{name}: said {row['confidence']:.0%}, was {row['accuracy']:.0%}"
        for name, bins in curves.items()
        for row in bins
    )
    page.figure(figure, f"{where}. {summary}")
