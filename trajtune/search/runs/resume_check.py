"""Whether a run may be resumed: compare its snapshot, versions and settings with the present ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trajtune.errors import RunError
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space
from trajtune.search.runs.create import versions
from trajtune.search.runs.directory import Run

_MAY_DIFFER: Final = (
    "search.trials",
    "search.max_concurrent",
    "search.gpus_per_trial",
    "search.keep_checkpoints",
    "search.max_failures",
    "search.time_budget_s",
    "search.max_epochs_total",
    "search.at_budget",
    "finalize.",
    "storage.",
    "tracking.",
)
"""Settings that decide how much is searched and what happens afterwards, but not the value of a trial."""


@dataclass(frozen=True)
class Difference:
    """A setting, a version or a snapshot that has changed since the run began.

    Attributes:
        what: Its name, for example ``search.seed``.
        before, now: Its values.
        harmless: Whether earlier and later trials can still be compared.
    """

    what: str
    before: Any
    now: Any
    harmless: bool

    def __str__(self) -> str:
        return f"{self.what} {self.before} → {self.now}"


def check_resumable(
    run: Run,
    snapshot_id: str,
    *,
    experiment: Experiment | None = None,
    space: Space | None = None,
    force: bool = False,
) -> None:
    """Refuse to resume a run if its new trials could not be compared with its old ones.

    Args:
        run: The run.
        snapshot_id: Hash of the present snapshot.
        experiment: The present experiment; None is the run's own.
        space: The space of ``experiment``.
        force: Allow harmless differences, which are other versions of packages.

    Raises:
        RunError: With every difference that forbids it.
    """
    changes = list(differences(run, snapshot_id, experiment, space))
    harmful = [change for change in changes if not change.harmless]
    if harmful:
        raise RunError(
            f"The run {run.name} cannot go on, because its trials could not be compared: "
            f"{', '.join(map(str, harmful))}. Put that back, or start a new search."
        )
    if changes and not force:
        raise RunError(
            f"The run {run.name} was searched with other versions: {', '.join(map(str, changes))}. "
            "Install those, or go on with --force."
        )


def differences(
    run: Run, snapshot_id: str, experiment: Experiment | None = None, space: Space | None = None
) -> Iterator[Difference]:
    """Everything that has changed since the run began."""
    if snapshot_id != run.snapshot_id:
        yield Difference("snapshot", run.snapshot_id, snapshot_id, harmless=False)
    now = versions()
    for name, before in run.manifest["versions"].items():
        if now[name] != before:
            yield Difference(name, before, now[name], harmless=True)
    if experiment is not None:
        yield from _changed(run.experiment.model_dump(mode="json"), experiment.model_dump(mode="json"), "")
    if space is not None:
        yield from _changed(run.space.model_dump(mode="json"), space.model_dump(mode="json"), "space.")


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str) -> Iterator[Difference]:
    for key in {**before, **now}:
        name, a, b = f"{prefix}{key}", before.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _changed(a, b, f"{name}.")
        elif a != b and not name.startswith(_MAY_DIFFER):
            yield Difference(name, a, b, harmless=False)
