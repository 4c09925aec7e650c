"""``trajtune serve``: answer over HTTP."""

from typing import Annotated

import typer

from trajtune.cli.arguments import BundlePath


def serve(
    bundle: BundlePath,
    host: Annotated[str, typer.Option(help="Address to listen on; by default only this machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 is any free port.")] = 8000,
    max_careers: Annotated[int, typer.Option(min=1, help="Careers in a batch.")] = 256,
    max_titles: Annotated[int, typer.Option(min=1, help="Titles in a career.")] = 200,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes in a request's body.")] = 1048576,
    as_service: Annotated[
        bool, typer.Option("--as-service", help="Look titles up as the TypeScript service does.")
    ] = False,
) -> None:
    """Serve a bundle over HTTP, as JSON and as a page; needs the extra `serve`.

    Example: trajtune serve bundles/demo --port 8000
    """
    from trajtune.serving.limits import Limits
    from trajtune.serving.serve import Address
    from trajtune.serving.serve import serve as serve_bundle

    limits = Limits(body_bytes=max_body, careers=max_careers, titles=max_titles)
    serve_bundle(bundle, Address(host, port), limits, as_service=as_service)
