"""``trajtune predict``: predict for one career, or for each career of a file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import AsJson, BundlePath
from trajtune.cli.output import as_json_text, describe, describe_abstention, describe_reasons
from trajtune.errors import BundleError


def predict(
    bundle: BundlePath,
    titles: Annotated[list[str] | None, typer.Argument(help="The career so far, oldest title first.")] = None,
    source: Annotated[
        Path | None,
        typer.Option("--input", help="JSON Lines file, one career (a list of titles) per line; - is stdin."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File for the predictions of --input; - is stdout.")
    ] = None,
    with_reasons: Annotated[
        bool, typer.Option("--explain", help="Show what each role contributes to the prediction.")
    ] = False,
    as_service: Annotated[
        bool, typer.Option("--as-service", help="Look titles up as the TypeScript service does.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Predict what comes next in one career, or in each career of a file.

    Example: trajtune predict bundles/demo "Software Engineer" "Senior Software Engineer"
    """
    from trajtune.bundle.answer import answer_of
    from trajtune.bundle.bundle import load_bundle
    from trajtune.bundle.explain import explain
    from trajtune.bundle.predict_file import STDOUT, predict_file

    if (source is None) != (output is None) or (source and titles):
        raise BundleError("Give titles, or --input and --output together, but not both.")
    if source and with_reasons:
        raise BundleError("--explain needs one career, given as titles. Leave out --input.")
    opened = load_bundle(bundle, as_service=as_service)
    if source and output:
        done = f"{predict_file(opened, source, output):,} predictions in {output}"
        # The predictions themselves are the result where they go to stdout.
        to_file = output.is_file() and output not in STDOUT
        print(done, file=sys.stdout if to_file else sys.stderr)
        return
    explained = explain(opened, titles or []) if with_reasons else None
    prediction = explained.prediction if explained else opened.predict([titles or []])[0]
    for title in prediction.unknown_titles:
        print(f"Warning: the model does not know the title {title!r}.", file=sys.stderr)
    for title, other in prediction.service_sees:
        does = f"does not find {title!r}" if other is None else f"reads {title!r} as {other!r}"
        print(f"Warning: the service {does}.", file=sys.stderr)
    outcomes = opened.outcomes
    if as_json:
        print(as_json_text(answer_of(prediction, outcomes, explained)))
    elif prediction.abstained:
        print(describe_abstention(outcomes))
    else:
        print(describe(prediction, outcomes))
        if explained:
            print(describe_reasons(explained))
