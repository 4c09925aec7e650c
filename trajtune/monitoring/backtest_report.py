"""Write ``backtest.html`` and the table on the terminal: metrics at each origin, and how a model ages."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from trajtune.page.format import NOT_KNOWN, metric_value, percent, significant, words
from trajtune.page.page import Page
from trajtune.storage.path import StoredPath


def write_backtest_report(result: Mapping[str, Any], path: StoredPath) -> None:
    """Write the page; the same result gives the same bytes.

    Args:
        result: The content of ``backtest.json``.
        path: The file, written atomically.
    """
    page = Page(f"Backtest of {result['run']}", f"{in_a_sentence(result)} {result['retraining']}")
    page.text(
        f"{result['winner']}, the research default and the baselines were trained as of "
        f"{len(result['origins'])} earlier days, the origins. Nothing on an origin or later reached its "
        "vocabulary, weights or calibration. Each was measured on the window that followed: one move for "
        "each person, the last one. The test split stays closed. The configuration itself was chosen on "
        f"val, so windows after {result['cutoffs']['train']} may flatter it."
    )
    _origins(page, result)
    _gains(page, result)
    _calibration(page, result)
    _tenure(page, result)
    _drift(page, result)
    _aging(page, result)
    page.write(path)


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


def terminal_table(result: Mapping[str, Any]) -> str:
    """Return a line for each origin, and the two conclusions."""
    best = result["best_baseline"]
    header = ("as of", "people", "NLL", words(best), "gain", "95 %", "ECE", "tenure cov.", "unseen")
    rows = [header]
    for row in result["origins"]:
        gain = row["gains"][best]["nll"]
        rows.append(
            (
                row["day"],
                f"{row['people']:,}",
                metric_value(row["nll"]),
                metric_value(row["others"][best]["nll"]),
                NOT_KNOWN if gain is None else f"{gain['gain']:+.3f}",
                "" if gain is None else f"{gain['low']:+.3f} to {gain['high']:+.3f}",
                NOT_KNOWN if row["ece"] is None else f"{row['ece']:.3f}",
                percent(row["tenure_coverage"]),
                percent(row["unseen_targets"]),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*lines, in_a_sentence(result), result["retraining"]])


def _origins(page: Page, result: Mapping[str, Any]) -> None:
    page.section(
        "Log-loss by origin",
        "NLL in nats of next titles that the origin's vocabulary holds; lower is better. The windows hold "
        "other people, so compare predictors within a window.",
    )
    rows = result["origins"]
    names = list(rows[0]["others"])
    figure = go.Figure()
    _line(figure, result["winner"], rows, [row["nll"] for row in rows])
    for name in names:
        _line(figure, words(name), rows, [row["others"].get(name, {}).get("nll") for row in rows])
    figure.update_layout(yaxis_title="NLL (nats)")
    page.figure(figure, _summary("NLL", rows, [row["nll"] for row in rows]))
    page.table(
        ["as of", "window ends", "people", "top 1", "top 5", "NLL", *(f"NLL of {words(n)}" for n in names)],
        [
            (
                row["day"],
                row["until"],
                row["people"],
                *(significant(row[key]) for key in ("top1", "top5", "nll")),
                *(significant(row["others"].get(name, {}).get("nll")) for name in names),
            )
            for row in rows
        ],
    )


def _gains(page: Page, result: Mapping[str, Any]) -> None:
    page.section(
        "Gain over the best baseline and the research default",
        "Paired, on the same people, with 95 % bootstrap intervals by person. Above 0 is better; an interval "
        "that holds 0 may be luck.",
    )
    rows, figure = result["origins"], go.Figure()
    for name in result["gains"]:
        of_name = [row["gains"].get(name, {}).get("nll") for row in rows]
        _line(figure, words(name), rows, *_values(of_name))
    figure.add_hline(y=0, line_dash="dash")
    figure.update_layout(yaxis_title="gain in NLL (nats)")
    page.figure(figure, in_a_sentence(result))
    page.table(
        ["all windows, against", "gain in NLL", "low", "high", "gain in top 1", "low", "high"],
        [
            (
                words(name),
                *(
                    None if gain is None else significant(gain[key])
                    for gain in (gains["nll"], gains["top1"])
                    for key in ("gain", "low", "high")
                ),
            )
            for name, gains in result["gains"].items()
        ],
    )


def _calibration(page: Page, result: Mapping[str, Any]) -> None:
    page.section(
        "Calibration over time",
        "Expected calibration error of the confidence, which was calibrated on the newest moves before each "
        "origin, and the error that perfect calibration has on average on so many people.",
    )
    rows, figure = result["origins"], go.Figure()
    _line(figure, "measured", rows, [row["ece"] for row in rows])
    _line(figure, "by chance alone", rows, [row["ece_chance"] for row in rows])
    figure.update_layout(yaxis_title="ECE", yaxis_rangemode="tozero")
    page.figure(figure, _summary("ECE", rows, [row["ece"] for row in rows]))
    keys = ("ece", "ece_chance", "ece_p_value", "ece_debiased")
    page.table(
        ["as of", "ECE", "by chance", "p-value", "beyond chance"],
        [(row["day"], *(significant(row[key]) for key in keys)) for row in rows],
    )


def _tenure(page: Page, result: Mapping[str, Any]) -> None:
    nominal = result["tenure_nominal_coverage"]
    page.section(
        "Tenure over time",
        "Share of the roles that ended in the window whose tenure lies in its interval; nominal is "
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
    figure.update_layout(yaxis_title="share inside", yaxis_range=[0, 1])
    page.figure(figure, _summary("coverage", rows, values))
    keys = ("num_tenures", "tenure_coverage", "tenure_width_months", "hireability_auc")
    page.table(
        ["as of", "roles that ended", "inside", "width in months", "hireability AUC"],
        [(row["day"], *(significant(row[key]) for key in keys)) for row in rows],
    )


def _drift(page: Page, result: Mapping[str, Any]) -> None:
    page.section(
        "Drift",
        "PSI: stability index of the window's titles against those of the origin's training; more than 0.25 "
        "above what chance alone gives is a major shift. Unseen: next titles that the vocabulary lacks.",
    )
    rows, figure = result["origins"], go.Figure()
    labels = {"psi": "PSI", "psi_by_chance": "PSI by chance", "unseen_targets": "next titles unseen"}
    for key, label in labels.items():
        _line(figure, label, rows, [row[key] for row in rows])
    figure.update_layout(yaxis_rangemode="tozero")
    page.figure(figure, _summary("PSI", rows, [row["psi"] for row in rows]))
    page.table(
        ["as of", *labels.values()],
        [(row["day"], *(significant(row[key]) for key in labels)) for row in rows],
    )


def _aging(page: Page, result: Mapping[str, Any]) -> None:
    first = result["origins"][0]["day"]
    page.section("How a model ages", result["retraining"])
    if not (ages := result["aging"]):
        return
    page.note(
        f"The model of {first} on the later windows, compared with the model that was trained when each "
        "window began, on the next titles that both vocabularies hold. The loss includes what more careers "
        "teach."
    )
    figure = go.Figure()
    x = [row["years"] for row in ages]
    figure.add_scatter(name=f"model of {first}", x=x, y=[row["nll"] for row in ages], mode="lines+markers")
    fresh = [row["fresh_nll"] for row in ages]
    figure.add_scatter(name="trained when the window began", x=x, y=fresh, mode="lines+markers")
    figure.update_layout(xaxis_title="age in years when the window begins", yaxis_title="NLL (nats)")
    page.figure(figure, "; ".join(f"{row['years']:.1f} years: {metric_value(row['nll'])}" for row in ages))
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
            "window from",
            "until",
            "age in years",
            "people",
            "both know",
            "NLL",
            "fresh NLL",
            "top 1",
            "fresh top 1",
        ],
        [
            (
                row["first"],
                row["until"],
                significant(row["years"]),
                row["people"],
                row["both_know"],
                *(significant(row[key]) for key in ("nll", "fresh_nll", "top1", "fresh_top1")),
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


def _values(
    gains: Sequence[Mapping[str, float] | None],
) -> tuple[list[float | None], tuple[list[float], list[float]]]:
    """Return the gains, and the distances to the lower and upper ends of their intervals."""
    values = [None if gain is None else gain["gain"] for gain in gains]
    low = [0.0 if gain is None else gain["gain"] - gain["low"] for gain in gains]
    high = [0.0 if gain is None else gain["high"] - gain["gain"] for gain in gains]
    return values, (low, high)


def _summary(what: str, rows: Sequence[Mapping[str, Any]], values: Sequence[float | None]) -> str:
    return "; ".join(
        f"{row['day']}: {what} {metric_value(value)}" for row, value in zip(rows, values, strict=True)
    )
