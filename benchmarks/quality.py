"""Compare the complete pipeline with the best possible prediction, by the number of careers.

For each size, simulated careers in the embedded PostgreSQL go through prepare, the default search and
finalize. The bundle's metrics on the test split are compared with the Bayes limit and first-order Markov.
Sizes that are already in the JSON file are not run again, so an interrupted run can be continued. The results
in docs/explanation/model.md are stored in benchmarks/quality.json. Snapshots, runs and bundles are written to
the working directory. Usage, from the project's root:

    python -m benchmarks.quality [--quick] [--json FILE] [--trials N] [--seed N] [--sizes N ...]
        [--figure SVG]

The figure is drawn with a headless Chromium: the system's, or else Playwright's.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import plotly.graph_objects as go

from benchmarks.rows import result
from trajtune.dataset.prepare import prepare
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.finalizing.run import finalize
from trajtune.searching.run import SessionFlags, start_search
from trajtune.storage.atomic import write_atomically

SIZES = (5_000, 20_000, 50_000, 200_000)
LEAST_TOP1, LEAST_TOP5, MIN_AUC = 0.99, 0.995, 0.97
MIN_GAP = {5_000: 0.62, 50_000: 0.75, 200_000: 0.75}
MAX_OFF_COVERAGE = 0.03
MODEL, LIMIT, RESEARCH, BASELINE = "model", "Bayes limit", "research default", "best Markov baseline"
LINES = {
    LIMIT: ("#000000", "dot"),
    MODEL: ("#0072b2", "solid"),
    RESEARCH: ("#d55e00", "dash"),
    BASELINE: ("#009e73", "dashdot"),
}
BARS_FROM = 50_000
"""Number of careers from which bars apply; smaller sizes are only part of the learning curve."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2,000 careers and 4 trials")
    parser.add_argument(
        "--json", type=Path, default=Path("quality.json"), help="file of the results; its sizes are kept"
    )
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulated careers and of the search")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of careers")
    parser.add_argument("--figure", type=Path, help="file for the learning curve as SVG")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(options.json.read_text()) if options.json.is_file() else []
    trials = 4 if options.quick else options.trials
    for careers in (2_000,) if options.quick else options.sizes:
        where = {"careers": careers, "trials": trials, "seed": options.seed}
        if not any(where.items() <= row.items() for row in rows):
            rows += [{**row, **where} for row in measured(careers, trials, options.seed)]
            write_atomically(options.json, f"{json.dumps(rows, indent=2)}\n".encode())
    for row in rows:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['careers']:9,} {row['name']:52} {row['value']:9.4f} {row['unit']}{bar}")
    if options.figure:
        draw([row for row in rows if row["seed"] == options.seed], options.figure)


def measured(careers: int, trials: int, seed: int) -> list[dict[str, Any]]:
    """Run the pipeline once and return the rows of its table."""
    experiment = validate(
        Experiment,
        {
            "source": {"kind": "simulated", "careers": careers, "seed": seed},
            "search": {"trials": trials, "seed": seed},
        },
        "benchmark",
    )
    run = start_search(experiment, prepare(experiment, progress=True), flags=SessionFlags(verbose=True))
    bundle = finalize(run, verbose=True)
    metrics = json.loads((bundle / "metrics.json").read_text())
    return rows_of(metrics, careers, experiment.finalize.tenure_coverage)


def rows_of(metrics: dict[str, Any], careers: int, nominal_coverage: float) -> list[dict[str, Any]]:
    """Return the table of one size from the ``metrics.json`` of a bundle."""
    test, limit = metrics["test"], metrics["bayes_limit"]
    baseline = metrics["baselines"]["markov"]
    at_size = careers >= BARS_FROM
    gap = (baseline["nll"] - test["next_role_nll"]) / (baseline["nll"] - limit["nll"])
    off = abs(test["tenure_coverage"] - nominal_coverage)
    top1, top5 = (test[f"next_role_{name}"] / limit[name] for name in ("top1", "top5"))
    gain = metrics["gains"]["markov"]["nll"]["low"]
    rows = [
        result(f"{metric}: {who}", value, unit)
        for metric, unit in (("nll", "nats"), ("top1", "share"), ("top5", "share"), ("mrr", "share"))
        for who, value in (
            (LIMIT, limit[metric]),
            (MODEL, test[f"next_role_{metric}"]),
            (RESEARCH, metrics["research_default"][metric]),
            (BASELINE, baseline[metric]),
        )
    ]
    return [
        *rows,
        result("top-1, model / limit", top1, "share", least=LEAST_TOP1 if at_size else None),
        result("top-5, model / limit", top5, "share", least=LEAST_TOP5 if at_size else None),
        result("NLL, share of the gap closed", gap, "share", least=MIN_GAP.get(careers)),
        result("NLL, gain, low end of 95 %", gain, "nats", least=0.0 if at_size else None),
        result("tenure coverage, off nominal", off, "share", most=MAX_OFF_COVERAGE if at_size else None),
        *auc_rows(test["hireability_auc"], limit["hireability_auc"], at_size),
    ]


def auc_rows(model: float, limit: float | None, at_size: bool) -> list[dict[str, Any]]:
    """Return the AUC of the proxy label. With `split.by: move` it has no limit, so there is no bar."""
    if limit is None:
        return [result("hireability AUC: model", model, "share")]
    least = MIN_AUC if at_size else None
    return [result("hireability AUC, model / limit", model / limit, "share", least=least)]


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the learning curve as SVG: log-loss and top-1 by the number of careers, for each predictor."""
    from playwright.sync_api import sync_playwright
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, subplot_titles=["Log-loss of the next title (nats)", "Top-1 accuracy"])
    for column, metric in enumerate(("nll", "top1"), 1):
        for who, (colour, dash) in LINES.items():
            curve = sorted(
                (row["careers"], row["value"]) for row in rows if row["name"] == f"{metric}: {who}"
            )
            figure.add_trace(
                go.Scatter(
                    x=[careers for careers, _ in curve],
                    y=[value for _, value in curve],
                    name=who,
                    line={"color": colour, "dash": dash},
                    showlegend=column == 1,
                ),
                1,
                column,
            )
    sizes = sorted({row["careers"] for row in rows})
    figure.update_xaxes(type="log", title="careers", tickvals=sizes, ticktext=[f"{size:,}" for size in sizes])
    figure.update_layout(
        template="plotly_white", width=1000, height=420, legend={"orientation": "h", "y": -0.25}
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content(figure.to_html(include_plotlyjs=True, div_id="figure"))
        svg = page.evaluate("Plotly.toImage('figure', {format: 'svg', width: 1000, height: 420})")
        browser.close()
    path.write_text(unquote(svg.partition(",")[2]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
