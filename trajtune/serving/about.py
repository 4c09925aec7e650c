"""What a server says about its bundle: the record of ``/health``."""

from importlib.metadata import version
from typing import Any

from trajtune.bundle.bundle import Bundle


def about(bundle: Bundle) -> dict[str, Any]:
    """The bundle that is served, as JSON values.

    Returns:
        ``status``; ``bundle`` (its directory's name), ``sha256`` (of its manifest, which holds every other
        file's), ``as_of`` (the last day that its careers were known to), ``run``, ``titles`` (how many it
        knows), ``gates_passed``, ``gates`` by name, ``outcomes`` (what tenure and hireability stand for) and
        ``trajtune`` (the server's version).
    """
    manifest, outcomes = bundle.manifest, bundle.outcomes
    return {
        "status": "ok",
        "bundle": bundle.path.resolve().name,
        "sha256": manifest.get("manifest_sha256"),
        "as_of": manifest.get("as_of"),
        "run": manifest.get("run"),
        "titles": bundle.encoder.vocab_size - 1,
        "gates_passed": bool(manifest.get("gates_passed")),
        "gates": manifest.get("gates", {}),
        "outcomes": {
            "stays_months": outcomes.stays_months,
            "tenure_is_prior": outcomes.tenure_is_prior,
            "hireability_is_prior": outcomes.hireability_is_prior,
        },
        "trajtune": version("trajtune"),
    }


def gates_not_passed(bundle: Bundle) -> str | None:
    """A warning in one line if gates did not pass when the bundle was made; None: all passed."""
    manifest = bundle.manifest
    if manifest.get("gates_passed"):
        return None
    names = [name.replace("_", " ") for name, passed in manifest.get("gates", {}).items() if not passed]
    which = f" ({', '.join(names)})" if names else ""
    return f"Not every gate passed{which}. Read evaluation_report.md in {bundle.path} before you rely on it."
