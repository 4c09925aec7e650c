"""The page's sections on how the model was made: the refits that chose it, the export and its speed."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from trajtune.experiment.objective import DIRECTIONS, label
from trajtune.page.colours import MODEL, VAL
from trajtune.page.format import listed, number, percent
from trajtune.page.page import Page
from trajtune.page.units import Quantity, decimal, metric, tick_format


def refits(page: Page, m: Mapping[str, Any]) -> None:
    """Why this configuration was chosen: the refits over seeds beside their scores in the search."""
    winner, chosen_by = m["winner"], m["selection_metric"]
    num_seeds = sum(refit["name"] == winner["name"] for refit in m["refits"])
    seeds = "1 seed" if num_seeds == 1 else f"{num_seeds} seeds"
    networks = winner["networks"]
    best = "lowest" if DIRECTIONS[chosen_by] == "minimize" else "highest"
    page.section(
        "How it was chosen",
        f"{winner['name'].capitalize()}: {_decided(m, f'the {best} {label(chosen_by)} on val', seeds)} "
        f"{_exported(networks, num_seeds)}{_mixed(m)}{_again(m)} "
        "The best value of a search is partly chance; the difference to the refits shows how much.",
    )
    figure = go.Figure()
    trained = [refit for refit in m["refits"] if refit[chosen_by] is not None]
    figure.add_scatter(
        name="refits, a seed each",
        mode="markers",
        marker={"color": MODEL, "size": 10},
        x=[refit["name"] for refit in trained],
        y=[refit[chosen_by] for refit in trained],
        text=[f"seed {refit['seed']}" for refit in trained],
    )
    searched = {name: row["search_value"] for name, row in m["selection"].items()}
    searched = {name: value for name, value in searched.items() if value is not None}
    figure.add_scatter(
        name="in the search",
        mode="markers",
        marker={"symbol": "x", "size": 10, "color": VAL},
        x=list(searched),
        y=list(searched.values()),
    )
    figure.update_layout(
        yaxis={"title": f"{label(chosen_by)} on val", "tickformat": tick_format(chosen_by)}, height=320
    )
    summary = (f"{name}: mean {metric(chosen_by, row['mean']).text}" for name, row in m["selection"].items())
    page.figure(figure, "; ".join(summary))
    page.table(
        [
            *("configuration", f"{label(chosen_by)} in the search", "mean of the refits", "difference"),
            "spread over seeds",
            *(["NLL as exported (nats)"] if _by_export(m) else []),
        ],
        [
            (name, *_selection_cells(chosen_by, row, by_export=_by_export(m)))
            for name, row in m["selection"].items()
        ],
    )
    for refit in m["refits"]:
        if refit["error"]:
            page.text(f"Failed: {refit['name']} with seed {refit['seed']}: {refit['error']}")


def export(page: Page, m: Mapping[str, Any]) -> None:
    """What was exported, how close it is to torch, and how fast it answers."""
    exported, latency = m["export"], m["latency"]
    missing = "" if latency["node"] else f" Not measured in Node: {latency['node_reason']}."
    megabytes = exported["num_bytes"] / 1e6
    page.section(
        "Export and speed",
        f"ONNX opset {exported['opset']}, {exported['num_nodes']} nodes, {megabytes:.1f} MB. "
        f"Over {exported['parity_rows']:,} careers in many batch shapes, logits differ from torch's by "
        f"at most {number(exported['parity_max_abs_error'], 2)}. Times are for one career at a time on one "
        f"thread.{missing}",
    )
    measured = {"Python": latency}
    if latency["node"]:
        measured[f"Node {latency['node']['version']}"] = latency["node"]
    page.table(
        ["measured in", "p50 (ms)", "p95 (ms)", "p99 (ms)"],
        [
            (where, *(decimal(row[key], 2) for key in ("p50_ms", "p95_ms", "p99_ms")))
            for where, row in measured.items()
        ],
    )


def _exported(networks: Sequence[Mapping[str, Any]], trained: int) -> str:
    """Which trainings the graph is made of."""
    each = [f"{network['name']} with seed {network['seed']}" for network in networks]
    if len({network["name"] for network in networks}) > 1:
        return (
            f"The exported graph gives the mean of the predictions of {listed(each)}. On val, averaging this "
            "number of the best configurations is as good as averaging any other number, within the noise."
        )
    if len(each) > 1:
        return f"The exported graph gives the mean of the predictions of {listed(each)}."
    return f"Seed {networks[0]['seed']} is exported{', the best of them' if trained > 1 else ''}."


def _mixed(m: Mapping[str, Any]) -> str:
    """The n-gram's weight in the exported graph."""
    share = m["ngram_share"]
    if not share:
        return ""
    return (
        f" Its probabilities are mixed with those of the baseline ngram, which have a weight of "
        f"{percent(share, 0)}: the weight with the lowest NLL on val."
    )


def _again(m: Mapping[str, Any]) -> str:
    """How the winner was trained for export, if not on train."""
    if m["refit_on"] == "train":
        return ""
    epochs = listed([str(network["epoch"]) for network in m["winner"]["networks"]])
    return (
        f" For export it was trained again on everything known before {m['cutoffs']['calibration']}, for "
        f"as many epochs as were best on val: {epochs}."
    )


def _by_export(m: Mapping[str, Any]) -> bool:
    return any(row["as_exported"] is not None for row in m["selection"].values())


def _decided(m: Mapping[str, Any], best: str, seeds: str) -> str:
    """What the winner was chosen by."""
    if _by_export(m):
        return (
            "the lowest NLL on val of what would be exported, its seeds averaged and mixed with the n-gram."
        )
    return f"{best}, averaged over {seeds}."


def _selection_cells(name: str, row: Mapping[str, Any], *, by_export: bool) -> tuple[Quantity, ...]:
    searched, mean = row["search_value"], row["mean"]
    difference = None if searched is None or mean is None else mean - searched
    cells = tuple(metric(name, value) for value in (searched, mean, difference, row["spread"]))
    return (*cells, decimal(row["as_exported"])) if by_export else cells
