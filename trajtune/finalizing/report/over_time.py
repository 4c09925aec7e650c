"""The sections of a backtest: gain, calibration, coverage and drift by origin, and how a model ages.

They are part of the page of the backtest and, if the run has one, of the bundle's report.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.page.format import percent, words
from trajtune.page.page import Page
from trajtune.page.units import Quantity, decimal, months, nats, points, share
from trajtune.searching.runs.directory import Run

FOLDER: Final = "backtest"
"""Directory in a run."""

RESULT: Final = "backtest.json"
SCHEMA_VERSION: Final = 1

Gain = Mapping[str, float] | None


def backtest_of(run: Run) -> dict[str, Any] | None:
    """Return the content of the run's ``backtest.json``, or None if the run has none of this version."""
    path = run.path / FOLDER / RESULT
    if not path.is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return result if result["schema_version"] == SCHEMA_VERSION else None


def over_time(page: Page, result: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Add a backtest to the report of a bundle.

    Args:
        page: The report.
        result: Content of ``backtest.json``.
        params: Params of the exported model.
    """
    page.section("Backtest", f"{in_a_sentence(result)} {result['retraining']}")
    page.text(about(result))
    if result["params"] != params:
        page.note(
            f"The backtest is of {result['winner']}, the best of the search when it ran. The exported model "
            "has another configuration."
        )
    backtest_sections(page, result)


def about(result: Mapping[str, Any]) -> str:
    """Say in a few sentences what was trained and measured."""
    return (
        f"{result['winner']}, the research default and the baselines were trained as of "
        f"{len(result['origins'])} earlier days, the origins. Nothing on an origin or later reached its "
        "vocabulary, weights or calibration. Each was measured on the window that followed: one move for "
        "each person, the last one. The test split stays closed. The configuration itself was chosen on "
        f"val, so windows after {result['cutoffs']['train']} may flatter it."
    )


def backtest_sections(page: Page, result: Mapping[str, Any]) -> None:
    """Add the sections: log-loss, gain, calibration, tenure and drift by origin, and aging."""
    _origins(page, result)
    _gains(page, result)
    _calibration(page, result)
    _tenure(page, result)
    _drift(page, result)
    _aging(page, result)


def in_a_sentence(result: Mapping[str, Any]) -> str:
    """Say in a sentence what the gain over the best baseline is."""
    best = result["best_baseline"]
    gain = result["gains"][best]["nll"]
    if gain is None:
        return "No next title of any window was in the vocabulary of its origin."
    verb = "beats" if gain["low"] > 0 else "loses to" if gain["high"] < 0 else "is not shown to differ from"
    return (
        f"Over all windows {result['winner']} {verb} the best baseline, {words(best)}: gain "
        f"{gain['gain']:.3f} nats ({gain['low']:.3f} to {gain['high']:.3f}, 95 %)."
    )


def _origins(page: Page, result: Mapping[str, Any]) -> None:
    page.section(
        "Log-loss by origin",
        "NLL in nats of next titles that are in the origin's vocabulary; lower is better. The windows have "
        "different people, so compare predictors within a window.",
    )
    rows = result["origins"]
    names = list(rows[0]["others"])
    figure = go.Figure()
    _line(figure, result["winner"], rows, [row["nll"] for row in rows])
    for name in names:
        _line(figure, words(name), rows, [row["others"].get(name, {}).get("nll") for row in rows])
    figure.update_layout(xaxis_title="origin", yaxis_title="NLL (nats)")
    page.figure(figure, _summary("NLL", rows, [nats(row["nll"]) for row in rows]))
    page.table(
        ["as of", "window ends", "people", "top 1", "top 5", "NLL", *(f"NLL of {words(n)}" for n in names)],
        [
            (
                row["day"],
                row["until"],
                row["people"],
                *(share(row["top1"]), share(row["top5"]), nats(row["nll"])),
                *(nats(row["others"].get(name, {}).get("nll")) for name in names),
            )
            for row in rows
        ],
    )


def _gains(page: Page, result: Mapping[str, Any]) -> None:
    page.section(
        "Gain over the best baseline and the research default",
        "Paired, on the same people, with 95 % bootstrap intervals by person. Above 0 is better; an interval "
        "that includes 0 may be chance.",
    )
    rows, figure = result["origins"], go.Figure()
    for name in result["gains"]:
        of_name = [row["gains"].get(name, {}).get("nll") for row in rows]
        _line(figure, words(name), rows, *_values(of_name))
    figure.add_hline(y=0, line_dash="dash")
    figure.update_layout(xaxis_title="origin", yaxis_title="gain in NLL (nats)")
    page.figure(figure, in_a_sentence(result))
    page.table(
        ["all windows, compared with", "gain in NLL", "low", "high", "gain in top 1", "low", "high"],
        [
            (words(name), *_gain_cells(gains["nll"], nats), *_gain_cells(gains["top1"], points))
            for name, gains in result["gains"].items()
        ],
    )


def _gain_cells(gain: Gain, unit: Any) -> list[Quantity]:
    return [unit(None if gain is None else gain[key]) for key in ("gain", "low", "high")]


def _calibration(page: Page, result: Mapping[str, Any]) -> None:
    page.section(
        "Calibration over time",
        "Expected calibration error of the confidence, which was calibrated on the newest moves before each "
        "origin, and the error that perfect calibration has on average on so many people.",
    )
    rows, figure = result["origins"], go.Figure()
    _line(figure, "measured", rows, [row["ece"] for row in rows])
    _line(figure, "by chance alone", rows, [row["ece_chance"] for row in rows])
    figure.update_layout(
        xaxis_title="origin",
        yaxis={"title": "calibration error", "tickformat": ".1%", "rangemode": "tozero"},
    )
    page.figure(figure, _summary("ECE", rows, [share(row["ece"]) for row in rows]))
    page.table(
        ["as of", "ECE", "by chance", "p-value", "beyond chance"],
        [
            (
                row["day"],
                *(share(row["ece"], 2), share(row["ece_chance"], 2)),
                *(decimal(row["ece_p_value"]), share(row["ece_debiased"], 2)),
            )
            for row in rows
        ],
    )


def _tenure(page: Page, result: Mapping[str, Any]) -> None:
    nominal = result["tenure_nominal_coverage"]
    page.section(
        "Tenure over time",
        "Share of the roles that ended in the window whose tenure is in its interval; nominal is "
        f"{percent(nominal, 0)}. The error bars are 95 % of chance on so many roles.",
    )
    rows, figure = result["origins"], go.Figure()
    values = [row["tenure_coverage"] for row in rows]
    errors = [
        0.0 if not row["num_tenures"] else 1.96 * (nominal * (1 - nominal) / row["num_tenures"]) ** 0.5
        for row in rows
    ]
    _line(figure, "tenures inside", rows, values, (errors, errors))
    figure.add_hline(y=nominal, line_dash="dash")
    figure.update_layout(
        xaxis_title="origin", yaxis={"title": "share inside", "range": [0, 1], "tickformat": ".0%"}
    )
    page.figure(figure, _summary("coverage", rows, [share(value) for value in values]))
    page.table(
        ["as of", "roles that ended", "inside", "width", "hireability AUC"],
        [
            (
                *(row["day"], row["num_tenures"], share(row["tenure_coverage"])),
                *(months(row["tenure_width_months"]), decimal(row["hireability_auc"])),
            )
            for row in rows
        ],
    )


def _drift(page: Page, result: Mapping[str, Any]) -> None:
    page.section(
        "Drift",
        "PSI: stability index of the window's titles compared with those of the origin's training; it has no "
        "unit. More than 0.25 above what chance alone gives is a major shift. Unseen: share of the next "
        "titles that are not in the vocabulary.",
    )
    rows, figure = result["origins"], go.Figure()
    labels = {"psi": "PSI", "psi_by_chance": "PSI by chance"}
    for key, label in labels.items():
        _line(figure, label, rows, [row[key] for row in rows])
    figure.update_layout(xaxis_title="origin", yaxis={"title": "PSI", "rangemode": "tozero"})
    page.figure(figure, _summary("PSI", rows, [decimal(row["psi"]) for row in rows]), half=True)
    figure = go.Figure()
    _line(figure, "next titles unseen", rows, [row["unseen_targets"] for row in rows])
    figure.update_layout(
        xaxis_title="origin",
        yaxis={"title": "next titles unseen", "tickformat": ".1%", "rangemode": "tozero"},
    )
    page.figure(figure, _summary("unseen", rows, [share(row["unseen_targets"]) for row in rows]), half=True)
    page.table(
        ["as of", *labels.values(), "next titles unseen"],
        [(row["day"], *(decimal(row[key]) for key in labels), share(row["unseen_targets"])) for row in rows],
    )


def _aging(page: Page, result: Mapping[str, Any]) -> None:
    first = result["origins"][0]["day"]
    page.section("How a model ages", result["retraining"])
    if not (ages := result["aging"]):
        return
    page.note(
        f"The model of {first} on the later windows, compared with the model that was trained when each "
        "window began, on the next titles that are in both vocabularies. The loss includes what more careers "
        "teach."
    )
    figure = go.Figure()
    x = [row["years"] for row in ages]
    figure.add_scatter(name=f"model of {first}", x=x, y=[row["nll"] for row in ages], mode="lines+markers")
    fresh = [row["fresh_nll"] for row in ages]
    figure.add_scatter(name="trained when the window began", x=x, y=fresh, mode="lines+markers")
    figure.update_layout(xaxis_title="age in years when the window begins", yaxis_title="NLL (nats)")
    page.figure(figure, "; ".join(f"{row['years']:.1f} years: {nats(row['nll']).text}" for row in ages))
    losses, (low, high) = _values([row["loss"]["nll"] for row in ages])
    figure = go.Figure()
    bars = {"type": "data", "symmetric": False, "array": high, "arrayminus": low}
    figure.add_scatter(name="loss", x=x, y=losses, mode="markers", error_y=bars)
    figure.add_hline(y=0, line_dash="dash")
    figure.update_layout(
        xaxis_title="age in years when the window begins", yaxis_title="loss (nats)", showlegend=False
    )
    page.figure(figure, result["retraining"])
    page.table(
        [
            *("window from", "until", "age", "people", "titles that both know"),
            *("NLL", "NLL of the fresh model", "top 1", "top 1 of the fresh model"),
        ],
        [
            (
                *(row["first"], row["until"], Quantity(row["years"], f"{row['years']:.1f} years")),
                *(row["people"], row["both_know"], nats(row["nll"]), nats(row["fresh_nll"])),
                *(share(row["top1"]), share(row["fresh_top1"])),
            )
            for row in ages
        ],
    )


def _line(
    figure: go.Figure,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    values: Sequence[float | None],
    errors: tuple[Sequence[float], Sequence[float]] | None = None,
) -> None:
    bars = None
    if errors is not None:
        bars = {"type": "data", "symmetric": False, "array": list(errors[1]), "arrayminus": list(errors[0])}
    x = [row["day"] for row in rows]
    figure.add_scatter(name=name, x=x, y=list(values), mode="lines+markers", error_y=bars)


def _values(gains: Sequence[Gain]) -> tuple[list[float | None], tuple[list[float], list[float]]]:
    """Return the gains, and the distances to the lower and upper ends of their intervals."""
    values = [None if gain is None else gain["gain"] for gain in gains]
    low = [0.0 if gain is None else gain["gain"] - gain["low"] for gain in gains]
    high = [0.0 if gain is None else gain["high"] - gain["gain"] for gain in gains]
    return values, (low, high)


def _summary(what: str, rows: Sequence[Mapping[str, Any]], values: Sequence[Quantity]) -> str:
    return "; ".join(f"{row['day']}: {what} {value.text}" for row, value in zip(rows, values, strict=True))
