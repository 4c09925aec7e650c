"""Make a bundle and use it: ``finalize``, ``predict`` and ``verify``."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import Address, AsJson, BundlePath, RunName, Verbose
from trajtune.cli.output import as_json_text, describe, describe_reasons
from trajtune.errors import BundleError


def finalize(
    run: RunName = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the bundle; bundles/RUN if left out.")
    ] = None,
    require_gates: Annotated[bool, typer.Option(help="Exit 3 if a gate fails.")] = False,
    as_json: AsJson = False,
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Refit the best, export, calibrate, evaluate on the test split once, write the bundle.

    Example: trajtune finalize --require-gates
    """
    from trajtune.bundle.manifest import METRICS
    from trajtune.finalize.run import demand_gates

    bundle = finalized(run, out=out, address=address, verbose=verbose)
    metrics = json.loads((bundle / METRICS).read_text("utf-8"))
    shown = {name: metrics[name] for name in ("winner", "params", "test", "gates")}
    print(as_json_text({"bundle": str(bundle), **shown}) if as_json else bundle)
    if require_gates:
        demand_gates(bundle, metrics["gates"])


def predict(
    bundle: BundlePath,
    titles: Annotated[list[str] | None, typer.Argument(help="The career so far, oldest title first.")] = None,
    source: Annotated[
        Path | None, typer.Option("--input", help="JSON Lines, a career a line: a list of titles.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where the predictions of --input go.")] = None,
    with_reasons: Annotated[
        bool, typer.Option("--explain", help="Show what each role contributes to the prediction.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Predict what comes next in one career, or in each of a file.

    Example: trajtune predict bundles/demo "Software Engineer" "Senior Software Engineer"
    """
    from trajtune.bundle.bundle import load_bundle
    from trajtune.bundle.explain import explain
    from trajtune.bundle.predict_file import predict_file

    if (source is None) != (output is None) or (source and titles):
        raise BundleError("Give titles, or --input and --output together, but not both.")
    if source and with_reasons:
        raise BundleError("--explain is for the one career whose titles are given. Leave out --input.")
    opened = load_bundle(bundle)
    if source and output:
        print(f"{predict_file(opened, source, output):,} predictions in {output}")
        return
    explained = explain(opened, titles or []) if with_reasons else None
    prediction = explained.prediction if explained else opened.predict([titles or []])[0]
    for title in prediction.unknown_titles:
        print(f"Warning: the model does not know the title {title!r}.", file=sys.stderr)
    if as_json:
        reasons = {"explanation": explained.to_dict()} if explained else {}
        print(as_json_text({**prediction.to_dict(), **reasons}))
    else:
        print(describe(prediction))
        if explained:
            print(describe_reasons(explained))


def verify(bundle: BundlePath, as_json: AsJson = False) -> None:
    """Check a bundle where it is to be served: hashes, contract, and stored careers' predictions.

    Example: trajtune verify bundles/demo
    """
    from trajtune.finalize.verify import verify as verify_bundle

    found = verify_bundle(bundle)
    print(
        as_json_text(found) if as_json else "\n".join(f"{name:<16} {value}" for name, value in found.items())
    )


def finalized(
    run: str | None,
    *,
    out: Path | None = None,
    address: str | None = None,
    verbose: bool = False,
) -> Path:
    """Finalize a run in a Ray session; where the bundle is."""
    from trajtune.cluster import ray_session
    from trajtune.finalize.run import finalize as finalize_run
    from trajtune.search.runs.directory import open_run

    found = open_run(run)
    with ray_session(address, verbose=verbose):
        return finalize_run(found, out=out)
