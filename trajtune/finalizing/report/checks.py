"""The page's sections on calibration: confidence, tenure, title sets, hireability."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.bundle.outcomes import hireability_name
from trajtune.finalizing.report.predictors import THIS_MODEL, with_best_possible
from trajtune.page.colours import BASELINE, MODEL
from trajtune.page.format import number, percent
from trajtune.page.page import Page
from trajtune.page.units import decimal, share

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
        "If the model says 80 %, it should be right 8 times in 10: then its points are on the diagonal. "
        f"Points below the diagonal mean overconfidence. {calibration['method'].capitalize()}, on "
        f"{calibration['num_examples']:,} people; {shrunk}. {_best_calibration(on_val_by_method['best'])}",
    )
    raw = {"before calibration": m["reliability"]["raw"]}
    _reliability(page, "On test", {**raw, "after calibration": m["reliability"]["calibrated"]}, half=True)
    on_val = {"before calibration": calibration["reliability_val_raw"]}
    if calibration["reliability_val"]:
        on_val["after, cross-fitted"] = calibration["reliability_val"]
    _reliability(page, f"On {where}", on_val, half=True)
    methods = [on_val_by_method[name] or {} for name in _METHODS]
    page.table(
        ["error", "test, before", "test, after", *(f"{where}, {name}" for name in _METHODS)],
        [
            (
                name,
                _error(key, test[f"{key}_raw"]),
                _error(key, test[key]),
                *(_error(key, method.get(key)) for method in methods),
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
        f"The interval should include {nominal} of the tenures. {_correction(calibration)} "
        f"{test['num_tenures_still_held']:,} last roles of test are still held, so their tenure is unknown; "
        "the last two columns bound the share of all last roles that will be inside. The share inside is "
        f"weighted so that it stands for all roles.{unknown}",
    )
    if calibration["tenure_from"] == "prior":
        page.warning("Training had no tenures, so the interval is the same for every career.")
    rows = [row for row in m["segments"]["history_length"] if row["tenure_coverage"] is not None]
    if rows:
        names = [row["segment"] for row in rows]
        coverage = go.Figure(
            go.Bar(
                name="inside", x=names, y=[row["tenure_coverage"] for row in rows], marker={"color": MODEL}
            )
        )
        coverage.add_hline(y=calibration["tenure_nominal_coverage"], line_dash="dash", line_color="#888888")
        coverage.update_layout(
            yaxis={
                "title": f"ended roles inside (dashed: {nominal})",
                "range": [0, 1],
                "tickformat": ".0%",
            },
        )
        inside = (f"{row['segment']}: {percent(row['tenure_coverage'], 0)} inside" for row in rows)
        page.figure(coverage, "; ".join(inside), half=True)
        width = go.Figure(
            go.Bar(x=names, y=[row["tenure_width_months"] for row in rows], marker={"color": MODEL})
        )
        width.update_layout(yaxis_title="width of the interval, months")
        months = (f"{row['segment']}: {row['tenure_width_months']:.0f} months" for row in rows)
        page.figure(width, "; ".join(months), half=True)
    keys = ("num_tenures", "tenure_mae_months", "tenure_coverage", "tenure_width_months")
    last = ("tenure_interval_score", "tenure_coverage_lowest", "tenure_coverage_highest")
    page.table(
        [
            *(
                "predictor",
                "ended roles",
                "mean error (months)",
                "inside",
                "width (months)",
                "interval score",
            ),
            *("all last roles inside, at least", "at most"),
        ],
        [
            (name, *(_tenure_cell(key, row.get(key)) for key in (*keys, *last)))
            for name, row in {THIS_MODEL: test, **with_best_possible(m)}.items()
        ],
    )
    page.note(
        "The interval score is the width plus ten times the distance of a tenure outside the interval; lower "
        "is better. The mean error is the distance from the middle of the interval, or for the best possible "
        "predictor from the median."
    )


def title_sets(page: Page, m: Mapping[str, Any]) -> None:
    """Coverage and size of the sets of next titles, by segment."""
    calibration, found = m["calibration"], m["title_sets"]
    nominal = percent(calibration["set_nominal_coverage"], 0)
    if found is None:
        page.section(
            "Title sets", f"There are none: {calibration['set_reason']}. The nominal coverage is {nominal}."
        )
        return
    page.section(
        "Title sets",
        f"The smallest set of next titles that should include the true one for {nominal} of the people. On "
        f"test it does so for {percent(found['coverage'])}; a set has {number(found['mean_size'], 3)} titles "
        "on average. A title that training never saw is in no set.",
    )
    rows = [(row["segment"], row) for way in found["segments"].values() for row in way]
    page.table(
        ["people of", "people", "set includes the true title", "titles in a set"],
        [
            (name, row["num"], share(row["coverage"]), decimal(row["mean_size"], 1))
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
        page.warning("Training had no outcomes, so the probability is the same for every career.")
    _reliability(page, "On test", {name_of_label: m["reliability"]["hireability"]})
    keys = ("num_hireabilities", "hireability_base_rate", "hireability_auc", "hireability_brier")
    page.table(
        ["predictor", "known outcomes", "base rate", "AUC", "Brier score", "calibration error"],
        [
            (
                name,
                row[keys[0]],
                share(row[keys[1]]),
                *(decimal(row[key]) for key in keys[2:]),
                share(row.get("hireability_ece")) if name == THIS_MODEL else "",
            )
            for name, row in {THIS_MODEL: test, **with_best_possible(m)}.items()
        ],
    )


def _best_calibration(best: str) -> str:
    """Whether another calibration would be better than the one in the bundle."""
    if best == "isotonic":
        return "Isotonic regression, as specified, is also the best of the three by Brier score."
    return (
        f"By Brier score {best} would be better here than isotonic regression, which the bundle uses, as "
        "specified."
    )


def _pseudo_count(people: float) -> str:
    """How strongly the calibration was shrunk."""
    if people >= 1e6:
        return "cross-fitting kept the model's own probabilities, within the bounds of each block"
    return f"each block also counts {people:,.0f} pseudo-people for whom the model's probability is right"


def _correction(calibration: Mapping[str, Any]) -> str:
    """How the interval was corrected."""
    correction = calibration["tenure_correction"]
    if correction is None:
        return f"Not corrected: {calibration['tenure_correction_reason']}."
    return (
        f"Its ends, plus six months, were multiplied by {math.exp(-correction['lower']):.2f} and "
        f"{math.exp(correction['upper']):.2f}: this gives the shortest intervals that include this share of "
        f"the {calibration['tenure_num_ended']:,} ended roles of {calibration['fitted_on']}."
    )


def _calibrated_hireability(calibration: Mapping[str, Any]) -> str:
    """Whether the hireability is calibrated, or why not."""
    if "hireability_reason" in calibration:
        return f"It is not calibrated: {calibration['hireability_reason']}."
    return (
        "It is calibrated in the same way as the confidence, on "
        f"{calibration['hireability_num_known']:,} known outcomes of {calibration['fitted_on']}."
    )


def _error(key: str, value: float | None) -> Any:
    """A calibration error in percent; the Brier score has no unit."""
    return decimal(value, 4) if key == "brier" else share(value, 2)


def _tenure_cell(key: str, value: float | None) -> Any:
    if key.startswith("tenure_coverage"):
        return share(value)
    return value if key == "num_tenures" else decimal(value, 1)


def _reliability(
    page: Page, where: str, curves: Mapping[str, Sequence[Mapping[str, Any]]], *, half: bool = False
) -> None:
    """Predicted probability against observed share; the size of a point is its number of people."""
    figure = go.Figure(
        go.Scatter(
            name="perfectly calibrated",
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"dash": "dash", "color": "#888888"},
        )
    )
    for name, bins in curves.items():
        colour = BASELINE if name.startswith("before") else MODEL
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
        xaxis={"title": f"{where}: predicted probability", "range": [-0.03, 1.03], "tickformat": ".0%"},
        yaxis={"title": "observed share", "range": [-0.03, 1.03], "tickformat": ".0%"},
    )
    summary = "; ".join(
        f"{name}: predicted {percent(row['confidence'], 0)}, observed {percent(row['accuracy'], 0)}"
        for name, bins in curves.items()
        for row in bins
    )
    page.figure(figure, f"{where}. {summary}", half=half)
