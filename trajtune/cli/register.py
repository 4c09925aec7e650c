"""``trajtune register``: a bundle becomes a version of a registered model."""

import sys
from typing import Annotated

import typer

from trajtune.cli.arguments import AsJson, BundlePath
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def register(
    bundle: BundlePath,
    mlflow: Annotated[
        str,
        typer.Option(metavar="NAME", help="Registered model in the store at MLFLOW_TRACKING_URI."),
    ],
    alias: Annotated[
        str, typer.Option(help="Alias that the version gets if every gate passed.")
    ] = "champion",
    as_json: AsJson = False,
) -> None:
    """Register a bundle with MLflow; its alias is set only if every gate passed.

    Example: trajtune register bundles/demo --mlflow next-role
    """
    with loading(shown=not as_json):
        from trajtune.serving.register import register as register_bundle

    found = register_bundle(bundle, mlflow, alias)
    if not found.is_new:
        print(f"This bundle is version {found.version} already.", file=sys.stderr)
    if found.alias is None:
        print(f"Warning: not every gate passed, so no alias {alias} was set.", file=sys.stderr)
    points = f", alias {found.alias}" if found.alias else ""
    print(as_json_text(found.to_dict()) if as_json else f"{found.name}, version {found.version}{points}")
