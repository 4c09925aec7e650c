"""The page's sections on how the model was made: the refits that chose it, what was exported, its speed."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from trajtune.experiment.objective import DIRECTIONS, label
from trajtune.page.format import listed, number, percent, significant
from trajtune.page.page import Page


def refits(page: Page, m: Mapping[str, Any]) -> None:
    """Why this configuration: spread over seeds, and score in the search against score of the refits."""
    winner, metric = m["winner"], m["selection_metric"]
    num_seeds = sum(refit["name"] == winner["name"] for refit in m["refits"])
    seeds = "1 seed" if num_seeds == 1 else f"{num_seeds} seeds"
    networks = winner["networks"]
    best = "lowest" if DIRECTIONS[metric] == "minimize" else "highest"
    page.section(
        "How it was chosen",
        f"{winner['name'].capitalize()}: {_decided(m, f'the {best} {label(metric)} on val', seeds)} "
        f"{_exported(networks, num_seeds)}{_mixed(m)}{_again(m)} "
        "A search's best value is partly luck; the difference shows how much.",
    )
    figure = go.Figure()
    trained = [refit for refit in m["refits"] if refit[metric] is not None]
    figure.add_scatter(
        name="refits, a seed each",
        mode="markers",
        x=[refit["name"] for refit in trained],
        y=[refit[metric] for refit in trained],
        text=[f"seed {refit['seed']}" for refit in trained],
    )
    searched = {name: row["search_value"] for name, row in m["selection"].items()}
    searched = {name: value for name, value in searched.items() if value is not None}
    figure.add_scatter(
        name="in the search",
        mode="markers",
        marker={"symbol": "x", "size": 10},
        x=list(searched),
        y=list(searched.values()),
    )
    figure.update_layout(yaxis_title=f"{label(metric)} on val")
    page.figure(
        figure, "; ".join(f"{name}: mean {number(row['mean'])}" for name, row in m["selection"].items())
    )
    page.table(
        [
            *("Configuration", f"{label(metric)} in the search", "refitted, mean", "difference"),
            "spread over seeds",
            *(["NLL as exported"] if _by_export(m) else []),
        ],
        [
            (name, *map(significant, _selection_cells(row, by_export=_by_export(m))))
            for name, row in m["selection"].items()
        ],
    )
    for refit in m["refits"]:
        if refit["error"]:
            page.text(f"Failed: {refit['name']} with seed {refit['seed']}: {refit['error']}")


def export(page: Page, m: Mapping[str, Any]) -> None:
    """What was exported, how exactly, and how fast it answers."""
    exported, latency = m["export"], m["latency"]
    missing = "" if latency["node"] else f" Not measured in Node: {latency['node_reason']}."
    megabytes = exported["num_bytes"] / 1e6
    page.section(
        "Export and speed",
        f"ONNX opset {exported['opset']}, {exported['num_nodes']} nodes, {megabytes:.1f} MB. "
        f"Over {exported['parity_rows']:,} careers in many batch shapes, logits differ from torch's by "
        f"{number(exported['parity_max_abs_error'], 2)} at most. One career at a time, one thread.{missing}",
    )
    measured = {"Python": latency}
    if latency["node"]:
        measured[f"Node {latency['node']['version']}"] = latency["node"]
    page.table(
        ["milliseconds", "p50", "p95", "p99"],
        [
            (where, *(significant(row[key]) for key in ("p50_ms", "p95_ms", "p99_ms")))
            for where, row in measured.items()
        ],
    )


def _exported(networks: Sequence[Mapping[str, Any]], trained: int) -> str:
    """Which trainings the graph is made of."""
    each = [f"{network['name']} with seed {network['seed']}" for network in networks]
    if len({network["name"] for network in networks}) > 1:
        return (
            f"The exported graph gives the mean of the predictions of {listed(each)}: on val, averaging that "
            "many of the best configurations is as good as any other number of them, within the noise."
        )
    if len(each) > 1:
        return f"The exported graph gives the mean of the predictions of {listed(each)}."
    return f"Seed {networks[0]['seed']} is exported{', the best of them' if trained > 1 else ''}."


def _mixed(m: Mapping[str, Any]) -> str:
    """How much the n-gram says in the exported graph."""
    share = m["ngram_share"]
    if not share:
        return ""
    return (
        f" It is mixed with the baseline ngram, whose probabilities of titles have a weight of "
        f"{percent(share, 0)}: the weight with the lowest NLL on val."
    )


def _again(m: Mapping[str, Any]) -> str:
    """How the winner was trained for export, if that was not on train."""
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


def _selection_cells(row: Mapping[str, Any], *, by_export: bool) -> tuple[float | None, ...]:
    searched, mean = row["search_value"], row["mean"]
    difference = None if searched is None or mean is None else mean - searched
    cells = searched, mean, difference, row["spread"]
    return (*cells, row["as_exported"]) if by_export else cells
