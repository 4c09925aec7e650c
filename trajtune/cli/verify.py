"""``trajtune verify``: check a bundle on the machine that will serve it."""

from trajtune.cli.arguments import AsJson, BundlePath
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def verify(bundle: BundlePath, as_json: AsJson = False) -> None:
    """Check a bundle on the machine that will serve it: hashes, contract, stored predictions.

    Example: trajtune verify bundles/demo
    """
    with loading(shown=not as_json):
        from trajtune.finalizing.verify import verify as verify_bundle

    checks = verify_bundle(bundle)
    print(
        as_json_text(checks)
        if as_json
        else "\n".join(f"{name:<16} {value}" for name, value in checks.items())
    )
