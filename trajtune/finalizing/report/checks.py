"""The page's sections on what can be trusted: confidence, tenure, title sets, hireability."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.bundle.outcomes import hireability_name
from trajtune.finalizing.report.predictors import THIS_MODEL, with_best_possible
from trajtune.page.format import number, percent, significant
from trajtune.page.page import COLOURS, Page

_METHODS: Final = ("none", "isotonic", "temperature")
_ERRORS: Final = {
    "ece": "ECE, 10 bins of equal width",
    "ece_equal_mass": "ECE, 15 bins of equally many people",
    "brier": "Brier score",
}


def confidence(page: Page, m: Mapping[str, Any]) -> None:
    """Reliability before and after calibration, on test and cross-fitted where it was fitted."""
    test, calibration = m["test"], m["calibration"]
    where, shrunk = calibration["fitted_on"], _pseudo_count(calibration["pseudo_count"])
    on_val_by_method = calibration["compared_on_val"]
    page.section(
        "Confidence",
        "If the model says 80 %, it should be right 8 times in 10: on the diagonal. Below it the model is "
        f"surer than it should be. {calibration['method'].capitalize()}, on {calibration['num_examples']:,} "
        f"people; {shrunk}. {_best_calibration(on_val_by_method['best'])}",
    )
    raw = {"before calibration": m["reliability"]["raw"]}
    _reliability(page, "On test", {**raw, "after calibration": m["reliability"]["calibrated"]})
    on_val = {"before calibration": calibration["reliability_val_raw"]}
    if calibration["reliability_val"]:
        on_val["after, cross-fitted"] = calibration["reliability_val"]
    _reliability(page, f"On {where}", on_val)
    methods = [on_val_by_method[name] or {} for name in _METHODS]
    page.table(
        ["", "test, before", "test, after", *(f"{where}, {name}" for name in _METHODS)],
        [
            (
                name,
                significant(test[f"{key}_raw"]),
                significant(test[key]),
                *(significant(method.get(key)) for method in methods),
            )
            for key, name in _ERRORS.items()
        ],
    )


def tenure(page: Page, m: Mapping[str, Any]) -> None:
    """Coverage and width of the tenure interval, also by length of history."""
    test, calibration = m["test"], m["calibration"]
    nominal = percent(calibration["tenure_nominal_coverage"], 0)
    unknown = "" if test["tenure_coverage"] is not None else f" Not known: {test['tenure_coverage_reason']}."
    page.section(
        "Tenure",
        f"The interval should hold {nominal} of the tenures. {_correction(calibration)} The tenure of "
        f"the {test['num_tenures_still_held']:,} last roles of test that are still held is unknown: of all "
        "last roles, the share that will turn out inside lies between the two bounds. The share inside is "
        f"estimated for all roles, by weights.{unknown}",
    )
    if calibration["tenure_from"] == "prior":
        page.warning("Training knew no tenure: the interval is the same for every career.")
    rows = [row for row in m["segments"]["history_length"] if row["tenure_coverage"] is not None]
    if rows:
        names = [row["segment"] for row in rows]
        coverage = go.Figure(go.Bar(name="inside", x=names, y=[row["tenure_coverage"] for row in rows]))
        coverage.add_hline(
            y=calibration["tenure_nominal_coverage"], line_dash="dash", annotation_text=f"nominal {nominal}"
        )
        coverage.update_layout(yaxis_title="share of ended roles inside", yaxis_range=[0, 1])
        inside = (f"{row['segment']}: {percent(row['tenure_coverage'], 0)} inside" for row in rows)
        page.figure(coverage, "; ".join(inside))
        width = go.Figure(go.Bar(x=names, y=[row["tenure_width_months"] for row in rows]))
        width.update_layout(yaxis_title="width of the interval, months")
        months = (f"{row['segment']}: {row['tenure_width_months']:.0f} months" for row in rows)
        page.figure(width, "; ".join(months))
    keys = ("num_tenures", "tenure_mae_months", "tenure_coverage", "tenure_width_months")
    last = ("tenure_interval_score", "tenure_coverage_lowest", "tenure_coverage_highest")
    page.table(
        [
            *("", "ended roles", "months off", "inside", "months wide", "interval score"),
            *("with roles still held, least", "most"),
        ],
        [
            (name, *(significant(row.get(key)) for key in (*keys, *last)))
            for name, row in {THIS_MODEL: test, **with_best_possible(m)}.items()
        ],
    )
    page.note(
        "The interval score is the width plus ten times the distance of a tenure that lies outside; lower is "
        "better. Months off is the distance from the middle, or for the best possible from the median."
    )


def title_sets(page: Page, m: Mapping[str, Any]) -> None:
    """Coverage and size of the sets of next titles, by segment."""
    calibration, found = m["calibration"], m["title_sets"]
    nominal = percent(calibration["set_nominal_coverage"], 0)
    if found is None:
        page.section("Title sets", f"There are none: {calibration['set_reason']}. Wanted were {nominal}.")
        return
    page.section(
        "Title sets",
        f"The smallest set of next titles that should hold the true one for {nominal} of the people. On "
        f"test it does for {percent(found['coverage'])}; a set has {number(found['mean_size'])} titles on "
        "average. "
        "A title that training never saw is in no set.",
    )
    rows = [(row["segment"], row) for way in found["segments"].values() for row in way]
    page.table(
        ["", "people", "holds the true title", "titles in a set"],
        [
            (name, row["num"], significant(row["coverage"]), significant(row["mean_size"]))
            for name, row in [("everybody", found), *rows]
        ],
    )


def hireability(page: Page, m: Mapping[str, Any]) -> None:
    """Reliability, ranking and the source of the label."""
    test = m["test"]
    unknown = (
        "" if test["hireability_auc"] is not None else f" AUC not known: {test['hireability_auc_reason']}."
    )
    name_of_label = hireability_name(m["hireability_label"])
    page.section(
        "Hireability" if name_of_label == "hireability" else name_of_label.capitalize(),
        f"The label is {m['hireability_label']}.{unknown} The service's field for it is called hireability. "
        f"{_calibrated_hireability(m['calibration'])}",
    )
    if m["calibration"]["hireability_from"] == "prior":
        page.warning("Training knew no outcome: the probability is the same for every career.")
    _reliability(page, "On test", {name_of_label: m["reliability"]["hireability"]})
    keys = ("num_hireabilities", "hireability_base_rate", "hireability_auc", "hireability_brier")
    page.table(
        ["", "known outcomes", "base rate", "AUC", "Brier score", "calibration error"],
        [
            (
                name,
                *(significant(row[key]) for key in keys),
                significant(row.get("hireability_ece")) if name == THIS_MODEL else "",
            )
            for name, row in {THIS_MODEL: test, **with_best_possible(m)}.items()
        ],
    )


def _best_calibration(best: str) -> str:
    """Whether another calibration would be better than the one in the bundle."""
    if best == "isotonic":
        return "Isotonic regression, as specified, is also the best of the three by Brier score."
    return (
        f"By Brier score {best} would be better here than isotonic regression, which is what the bundle "
        "holds, as specified."
    )


def _pseudo_count(people: float) -> str:
    """How far the calibration was shrunk."""
    if people >= 1e6:
        return "cross-fitting left the model's own probabilities as they are, up to the bounds of each block"
    return f"each block also counts {people:,.0f} imagined people for whom the model's probability is right"


def _correction(calibration: Mapping[str, Any]) -> str:
    """How the interval was corrected."""
    correction = calibration["tenure_correction"]
    if correction is None:
        return f"Not corrected: {calibration['tenure_correction_reason']}."
    return (
        f"Its ends, six months added, were multiplied by {math.exp(-correction['lower']):.2f} and "
        f"{math.exp(correction['upper']):.2f}: the shortest intervals that hold so many of the "
        f"{calibration['tenure_num_ended']:,} ended roles of {calibration['fitted_on']}."
    )


def _calibrated_hireability(calibration: Mapping[str, Any]) -> str:
    """Whether the hireability is calibrated, or why not."""
    if "hireability_reason" in calibration:
        return f"It is not calibrated: {calibration['hireability_reason']}."
    return (
        "It is calibrated as confidence is, on "
        f"{calibration['hireability_num_known']:,} known outcomes of {calibration['fitted_on']}."
    )


def _reliability(page: Page, where: str, curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Predicted probability against observed share; the size of a point is its number of people."""
    figure = go.Figure(
        go.Scatter(
            name="perfectly calibrated",
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
        xaxis_title=f"{where}: predicted probability",
        yaxis_title="observed share",
        xaxis_range=[0, 1],
        yaxis_range=[0, 1.02],
    )
    summary = "; ".join(
        f"{name}: predicted {percent(row['confidence'], 0)}, observed {percent(row['accuracy'], 0)}"
        for name, bins in curves.items()
        for row in bins
    )
    page.figure(figure, f"{where}. {summary}")
