"""Seven sets of real careers and one simulated set, as experiments.

The files are next to the project's root, in ``../shared/data``, and not part of the project. All other
settings come from the experiment ``default``. Snapshots, runs, bundles and converted files are written to one
working directory.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from trajtune.dataset.prepare import prepare
from trajtune.dataset.snapshot import Snapshot, open_snapshot
from trajtune.experiment.load import find_file, load_yaml, validate
from trajtune.experiment.settings import Experiment

DATA: Final = Path(__file__).parents[2] / "shared" / "data"
WORK: Final = Path("real")
"""Default working directory."""

SIMULATED: Final = "simulated"
QUICK_SETS: Final = ("uk_ministers", "us_diplomats")

_ROLES_JSON: Final = {"layout": "json", "history_column": "roles"}
_SOURCES: Final[dict[str, dict[str, Any]]] = {
    "us_federal_judges": {"kind": "csv", "path": "us_federal_judges.csv"},
    "us_state_officials": {"kind": "jsonl", "path": "us_state_officials.jsonl", "layout": _ROLES_JSON},
    "baseball_teams": {"kind": "csv", "path": "baseball_teams.csv"},
    "us_congress": {"kind": "jsonl", "path": "us_congress.jsonl", "layout": _ROLES_JSON},
    "us_diplomats": {"kind": "csv", "path": "us_diplomats.csv"},
    "uk_ministers": {"kind": "csv", "path": "uk_ministers.csv"},
    "austrian_mps_jobs": {"kind": "csv", "path": "austrian_mps_jobs.csv"},
    SIMULATED: {"kind": "simulated", "careers": 20_000, "seed": 0},
}
SETS: Final = tuple(_SOURCES)


def skip_without_data() -> None:
    """Print the reason and exit with code 0 if the data is missing."""
    if not DATA.is_dir():
        print(f"The benchmark is skipped, because the real careers in {DATA} are missing.", file=sys.stderr)
        sys.exit(0)


def experiment_of(name: str, directory: Path, **sections: dict[str, Any]) -> Experiment:
    """Return the experiment ``default`` on one of `SETS`.

    Args:
        name: Name of the set, one of `SETS`.
        directory: Directory that everything is written to.
        sections: Settings that replace those of ``default``, by section.
    """
    content = load_yaml(find_file("default", "experiments"))
    given: dict[str, dict[str, Any]] = {
        # A person with a single role has no move and is quarantined; in some sets most people are.
        "data": {"max_quarantine_fraction": 1},
        "storage": {kind: str(directory / kind) for kind in ("snapshots", "runs", "bundles")},
        **sections,
    }
    merged = {section: {**content.get(section, {}), **settings} for section, settings in given.items()}
    return validate(Experiment, {**content, **merged, "source": _source(name, directory)}, name)


def snapshot_by(name: str, by: str, directory: Path) -> Snapshot:
    """Return the snapshot of a set by a split rule; it is prepared once and kept in the working directory.

    Delete the working directory after a change to how careers are read, split or encoded.
    """
    own = directory / "by_rule" / f"{name}-{by}"
    for manifest in own.glob("*/manifest.json"):
        return open_snapshot(manifest.parent)
    return prepare(experiment_of(name, directory, split={"by": by}, storage={"snapshots": str(own)}))


def _source(name: str, directory: Path) -> dict[str, Any]:
    source = dict(_SOURCES[name])
    if name == "us_congress":
        source["path"] = str(_terms_as_roles(DATA / source["path"], directory / source["path"]))
    elif "path" in source:
        source["path"] = str(DATA / source["path"])
    return source


def _terms_as_roles(path: Path, target: Path) -> Path:
    """Write the members' terms as roles with chamber and state as the title, which no setting can combine."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        for line in path.read_text("utf-8").splitlines():
            member = json.loads(line)
            roles = [
                {
                    "title": f"{term['type']} {term['state']}",
                    "start_date": term["start"],
                    "end_date": term["end"],
                }
                for term in member["terms"]
            ]
            file.write(json.dumps({"id": member["id"]["bioguide"], "roles": roles}) + "\n")
    return target
