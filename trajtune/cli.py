"""The command line: one short function a command, nothing heavy imported before it is needed.

Knows which part does what; holds no rule of its own. Results go to stdout, everything else to
stderr. Exit codes: 0 done, 2 the user can mend it, 3 a gate failed, 130 interrupted.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from trajtune.errors import BundleError, ExperimentError, GateError, RunError, SourceError, TrajtuneError

if TYPE_CHECKING:
    from trajtune.bundle import Prediction
    from trajtune.experiment import Experiment
    from trajtune.search.run_directory import Run

app = typer.Typer(
    name="trajtune",
    help="From work histories in PostgreSQL to a small calibrated model of the next role.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ExperimentName = Annotated[
    str | None,
    typer.Argument(metavar="[EXPERIMENT]", help="A name in experiments/ or a path to a YAML file."),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Let Ray speak, too.")]
RunName = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="A run's name or path; the latest if left out.")
]
SnapshotPath = Annotated[Path | None, typer.Option(help="Use this snapshot instead of preparing one.")]
Address = Annotated[str | None, typer.Option(help="Join a Ray cluster: auto or host:port.")]
Checkpoint = Annotated[Path, typer.Option(help="A checkpoint, as best.pt.")]
DataPath = Annotated[Path, typer.Option(help="A snapshot's directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command line; every error that the user can mend is one line."""
    import platformdirs
    from dotenv import load_dotenv

    load_dotenv(Path.cwd() / ".env")
    # torch keeps a folder for its compiler, in the temporary directory unless told otherwise.
    home = os.environ.get("TRAJTUNE_HOME") or platformdirs.user_cache_dir("trajtune")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(home, "torchinductor"))
    # A terminated command closes what it opened (the embedded PostgreSQL, Ray), as one interrupted does.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app()
    except TrajtuneError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(3 if isinstance(error, GateError) else 2)


@app.command()
def demo(verbose: Verbose = False) -> None:
    """The whole way on simulated careers: PostgreSQL, search, bundle.

    Example: trajtune demo
    """
    bundle = _finalize(_search("demo", verbose=verbose), verbose=verbose)
    print(f"Report: {bundle / 'report.html'}")
    print(f'Try: trajtune predict {bundle} "Software Engineer" "Senior Software Engineer"')


@app.command()
def simulate(
    careers: Annotated[int, typer.Option(min=1, help="How many.")],
    to: Annotated[
        str,
        typer.Option(help="`postgres` (the database in POSTGRES_URL), or a .parquet, .jsonl or .csv file."),
    ],
    seed: Annotated[int, typer.Option(help="Same seed, same careers.")] = 0,
) -> None:
    """Write simulated careers, and print the limit of what any model could reach on them.

    Example: trajtune simulate --careers 20000 --to careers.parquet
    """
    from trajtune.careers.simulated_write import write_simulated
    from trajtune.experiment import ProcessSettings
    from trajtune.model.bayes import population_limit

    write_simulated(careers, seed, _database_url() if to == "postgres" else to)
    print(f"{careers:,} simulated careers in {'the table candidates' if to == 'postgres' else to}")
    print("The best that any model could reach on their last moves:")
    for name, value in population_limit(careers, seed, ProcessSettings()).items():
        print(f"  {name:<28} {value:.4g}" if isinstance(value, float) else f"  {name:<28} {value}")


@app.command()
def prepare(experiment: ExperimentName = None, verbose: Verbose = False) -> None:
    """Read the careers, split them in time and write a snapshot.

    Example: trajtune prepare experiments/default.yaml
    """
    from trajtune.cluster import ray_session
    from trajtune.dataset.data_report import DATA_REPORT
    from trajtune.dataset.prepare import prepare as prepare_snapshot
    from trajtune.dataset.summary import summary

    resolved = _load(experiment)
    with ray_session(verbose=verbose):
        snapshot = prepare_snapshot(resolved, progress=True)
    print(summary(snapshot))
    print(f"  report      {snapshot.path / DATA_REPORT}")


@app.command()
def search(
    experiment: ExperimentName = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in total.")] = None,
    space: Annotated[str | None, typer.Option(help="A name in search_spaces/ or a path.")] = None,
    run: Annotated[str | None, typer.Option(help="Name of the run; one is made if left out.")] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with this run, or extend it with more --trials.")
    ] = None,
    snapshot: SnapshotPath = None,
    warm_start: Annotated[
        str | None, typer.Option(help="Begin with the best configurations of this earlier run.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Resume although something harmless has changed.")
    ] = False,
    time_budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="End in order after so long: 90s, 30m, 2h.")
    ] = None,
    max_epochs_total: Annotated[
        int | None, typer.Option(min=1, help="End in order after so many epochs of all trials.")
    ] = None,
    max_concurrent: Annotated[int | None, typer.Option(min=1, help="Trials at once.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the resolved experiment and what it would cost, and end.")
    ] = False,
    json_log: Annotated[
        bool, typer.Option("--json-log", help="Each event as a line of JSON on stdout, and no display.")
    ] = False,
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Search the hyperparameters around the research default.

    Example: trajtune search --trials 50
    """
    _search(
        experiment,
        trials=trials,
        space=space,
        run=run,
        resume=resume,
        snapshot=snapshot,
        warm_start=warm_start,
        force=force,
        max_concurrent=max_concurrent,
        time_budget_s=_seconds(time_budget),
        max_epochs_total=max_epochs_total,
        dry_run=dry_run,
        json_log=json_log,
        address=address,
        verbose=verbose,
    )


@app.command()
def status(run: RunName = None, as_json: AsJson = False) -> None:
    """Show a search, finished or running: leaderboard, states, gain over the research default.

    Example: trajtune status --json
    """
    from trajtune.search.status import print_status, status_of

    found = status_of(_open_run(run))
    if as_json:
        print(_json(found))
    else:
        print_status(found)


@app.command()
def finalize(
    run: RunName = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the bundle; bundles/RUN if left out.")
    ] = None,
    require_gates: Annotated[bool, typer.Option(help="Exit 3 if a gate fails.")] = False,
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Refit the best, export, calibrate, evaluate on the test split once, write the bundle.

    Example: trajtune finalize --require-gates
    """
    _finalize(run, out=out, require_gates=require_gates, address=address, verbose=verbose)


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="A bundle's directory.")],
    titles: Annotated[list[str] | None, typer.Argument(help="The career so far, oldest title first.")] = None,
    source: Annotated[
        Path | None, typer.Option("--input", help="JSON Lines, a career a line: a list of titles.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where the predictions of --input go.")] = None,
    as_json: AsJson = False,
) -> None:
    """Predict what comes next in one career, or in each of a file.

    Example: trajtune predict bundles/demo "Software Engineer" "Senior Software Engineer"
    """
    from trajtune.bundle import load_bundle
    from trajtune.stream import predict_file

    if (source is None) != (output is None) or (source and titles):
        raise BundleError("Give titles, or --input and --output together, but not both.")
    opened = load_bundle(bundle)
    if source and output:
        print(f"{predict_file(opened, source, output):,} predictions in {output}")
        return
    prediction = opened.predict([titles or []])[0]
    for title in prediction.unknown_titles:
        print(f"Warning: the model does not know the title {title!r}.", file=sys.stderr)
    print(_json(prediction.to_dict()) if as_json else _describe(prediction))


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="A bundle's directory.")], as_json: AsJson = False
) -> None:
    """Check a bundle where it is to be served: hashes, contract, and stored careers' predictions.

    Example: trajtune verify bundles/demo
    """
    from trajtune.finalize.verify import verify as verify_bundle

    found = verify_bundle(bundle)
    print(_json(found) if as_json else "\n".join(f"{name:<16} {value}" for name, value in found.items()))


@app.command()
def train(
    experiment: ExperimentName = None,
    output: Annotated[Path, typer.Option(help="Directory for checkpoints, log and curves.")] = Path("models"),
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    snapshot: SnapshotPath = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    db_url: Annotated[
        str | None,
        typer.Option(envvar="POSTGRES_URL", help="The database; others see it here, so use the variable."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Train one configuration, the experiment's, without a search.

    Example: trajtune train research_default --epochs 50 --output models/
    """
    from trajtune.cluster import ray_session
    from trajtune.dataset.prepare import prepare as prepare_snapshot
    from trajtune.dataset.snapshot import open_snapshot
    from trajtune.search.single import train_single

    if db_url:
        os.environ["POSTGRES_URL"] = db_url
    resolved = _load(experiment)
    if epochs:
        params = resolved.training.model_copy(update={"max_epochs": epochs})
        resolved = resolved.model_copy(update={"training": params})
    if snapshot:
        data = open_snapshot(snapshot)
    else:
        with ray_session(verbose=verbose):
            data = prepare_snapshot(resolved, progress=True)
    for report in train_single(resolved, data, output, resume=resume):
        print(
            f"epoch {report['epoch']:>3}  train loss {report['train_loss']:.4f}  "
            f"val_next_role_nll {report['val_next_role_nll']:.4f}  {report['seconds']:.1f} s",
            flush=True,
        )
    print(output / "best.pt")


@app.command("export")
def export_step(
    checkpoint: Checkpoint,
    vocab: Annotated[Path, typer.Option(help="A vocabulary file.")],
    output: Annotated[Path, typer.Option(help="The file to write, ending in .onnx.")],
) -> None:
    """Export a checkpoint to ONNX, with its vocabulary beside it.

    Example: trajtune export --checkpoint models/best.pt --vocab models/vocabulary.json --output m.onnx
    """
    from trajtune.finalize.steps import export_checkpoint

    print(_json(export_checkpoint(checkpoint, vocab, output)))


@app.command("calibrate")
def calibrate_step(
    checkpoint: Checkpoint,
    data_path: DataPath,
    output: Annotated[Path, typer.Option(help="Directory for the table and the pickle.")],
) -> None:
    """Fit the confidence calibration of a checkpoint on a snapshot's val split.

    Example: trajtune calibrate --checkpoint models/best.pt --data-path snapshots/ID --output models/
    """
    from trajtune.finalize.steps import calibrate_checkpoint

    print(_json(calibrate_checkpoint(checkpoint, data_path, output)))


@app.command("evaluate")
def evaluate_step(
    checkpoint: Checkpoint,
    data_path: DataPath,
    output: Annotated[Path, typer.Option(help="Directory for metrics.json and reports; must not exist.")],
) -> None:
    """Measure a checkpoint on a snapshot's test split; the snapshot's ledger remembers it.

    Example: trajtune evaluate --checkpoint models/best.pt --data-path snapshots/ID --output evaluation/
    """
    from trajtune.finalize.steps import evaluate_checkpoint

    evaluate_checkpoint(checkpoint, data_path, output)
    print(output / "evaluation_report.md")


@app.command()
def doctor(
    run: RunName = None,
    mend: Annotated[bool, typer.Option("--mend", help="Mend what can be mended.")] = False,
) -> None:
    """Show where a run's files disagree with its study, which is the record.

    Example: trajtune doctor --mend
    """
    from trajtune.search.doctor import examine
    from trajtune.search.doctor import mend as mend_findings

    opened = _open_run(run)
    findings = examine(opened)
    left = mend_findings(opened, findings) if mend else findings
    for finding in findings:
        print(f"{'left' if finding in left else 'mended'}: {finding.what}; {finding.remedy}")
    if not findings:
        print(f"{opened.name}: study and files agree")
    raise typer.Exit(2 if left else 0)


@app.command()
def dashboard(
    run: RunName = None, port: Annotated[int, typer.Option(min=1, max=65535, help="On this machine.")] = 8080
) -> None:
    """Show a run's study in optuna-dashboard, also while the search runs (extra `trajtune[dashboard]`).

    Example: trajtune dashboard --port 8080
    """
    from trajtune.search.dashboard import show_dashboard

    show_dashboard(_open_run(run), port)


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2)


def _describe(prediction: "Prediction") -> str:
    """A prediction for people, as the service would show it."""
    flag = " (low)" if prediction.low_confidence else ""
    others = [f"    {probability:6.1%}  {title}" for title, probability in prediction.top5]
    return "\n".join(
        [
            f"Next role     {prediction.next_role}",
            f"Confidence    {prediction.confidence:.0%}{flag}",
            f"Tenure        {prediction.shown_min_months} to {prediction.shown_max_months} months",
            f"Hireability   {prediction.shown_hireability} of 100",
            "Top five, before calibration",
            *others,
        ]
    )


def _search(
    experiment: str | None,
    *,
    trials: int | None = None,
    space: str | None = None,
    run: str | None = None,
    resume: str | None = None,
    snapshot: Path | None = None,
    warm_start: str | None = None,
    force: bool = False,
    max_concurrent: int | None = None,
    time_budget_s: float | None = None,
    max_epochs_total: int | None = None,
    dry_run: bool = False,
    json_log: bool = False,
    address: str | None = None,
    verbose: bool = False,
) -> str | None:
    """Prepare (or open) the snapshot and search on it, in one Ray session.

    Returns:
        The run's path; None after a dry run.
    """
    from trajtune.cluster import ray_session
    from trajtune.dataset.prepare import prepare as prepare_snapshot
    from trajtune.dataset.snapshot import open_snapshot
    from trajtune.experiment import experiment_yaml
    from trajtune.search.estimate import estimate
    from trajtune.search.run import resume_search, start_search
    from trajtune.search.space import load_space
    from trajtune.search.start import check_start_points, with_warm_start

    if resume is not None and dry_run:
        raise RunError("A dry run is of a new search. Leave out --resume or --dry-run.")
    try:
        if resume is not None:
            resumed = resume_search(
                resume,
                trials=trials,
                max_concurrent=max_concurrent,
                time_budget_s=time_budget_s,
                max_epochs_total=max_epochs_total,
                force=force,
                json_log=json_log,
                address=address,
                verbose=verbose,
            )
            return str(resumed.path)
        chosen = {
            "trials": trials,
            "space": space,
            "max_concurrent": max_concurrent,
            "time_budget_s": time_budget_s,
            "max_epochs_total": max_epochs_total,
        }
        resolved = _with_search_settings(_load(experiment), chosen)
        # What is wrong with the space is said before the database is read.
        searched = load_space(resolved.search.space)
        data = open_snapshot(snapshot) if snapshot else None
        with ray_session(address, verbose=verbose):
            data = data or prepare_snapshot(resolved, progress=True)
            if warm_start:
                resolved = with_warm_start(resolved, _open_run(warm_start), data)
            if dry_run:
                check_start_points(resolved.search, searched)
                print(experiment_yaml(resolved) + estimate(resolved, data).describe())
                return None
            return str(start_search(resolved, data, name=run, json_log=json_log, verbose=verbose).path)
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "Interrupted.", file=sys.stderr)
        raise typer.Exit(130) from stopped


def _finalize(
    run: str | None,
    *,
    out: Path | None = None,
    require_gates: bool = False,
    address: str | None = None,
    verbose: bool = False,
) -> Path:
    from trajtune.cluster import ray_session
    from trajtune.finalize.run import finalize as finalize_run

    found = _open_run(run)
    with ray_session(address, verbose=verbose):
        bundle = finalize_run(found, out=out, require_gates=require_gates)
    print(bundle)
    return bundle


def _open_run(name: str | None) -> "Run":
    from trajtune.search.run_directory import open_run

    return open_run(name)


def _with_search_settings(experiment: "Experiment", chosen: Mapping[str, object]) -> "Experiment":
    """The experiment with what the flags say in place of its own search settings."""
    given = {name: value for name, value in chosen.items() if value is not None}
    return experiment.model_copy(update={"search": experiment.search.model_copy(update=given)})


def _load(name: str | None) -> "Experiment":
    """The experiment by name; with none, the default on the database or on simulated careers."""
    from trajtune.experiment import PostgresSource, SimulatedSource, load_experiment

    experiment = load_experiment(name or "default")
    if not isinstance(experiment.source, PostgresSource) or os.environ.get("POSTGRES_URL"):
        return experiment
    if name is not None:
        raise ExperimentError(
            f"The experiment {name} reads PostgreSQL, but POSTGRES_URL is not set. Set it, or put it in .env."
        )
    print(
        "POSTGRES_URL is not set: using SIMULATED careers in an embedded PostgreSQL. "
        "Set POSTGRES_URL to use your own.",
        file=sys.stderr,
    )
    return experiment.model_copy(update={"source": SimulatedSource()})


def _seconds(text: str | None) -> float | None:
    """``90s``, ``30m`` or ``2h`` in seconds."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None or float(match[1]) == 0:
        raise typer.BadParameter(f"a time is a positive number and s, m or h, as 30m, but got {text!r}")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _database_url() -> str:
    url = os.environ.get("POSTGRES_URL")
    if not url:
        raise SourceError("POSTGRES_URL is not set. Set it to the database's URL, or put it in .env.")
    return url


def _terminated(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
