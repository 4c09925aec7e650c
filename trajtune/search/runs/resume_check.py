"""May a run go on? What differs between the run as it was searched and what is at hand now."""

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
"""Settings that decide how much is searched and what is done afterwards, not what a trial's value is."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        what: Its name, as ``search.seed``.
        before, now: Its values.
        harmless: Whether trials before and after can still be compared.
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
    """Refuse to go on with a run whose new trials could not be compared with the old.

    Args:
        run: The run.
        snapshot_id: Of the snapshot at hand.
        experiment: What is asked for now; None asks for nothing else than the run.
        space: The space of ``experiment``.
        force: Go on where the differences are harmless (versions of the code).

    Raises:
        RunError: With every difference that forbids it.
    """
    found = list(differences(run, snapshot_id, experiment, space))
    harmful = [difference for difference in found if not difference.harmless]
    if harmful:
        raise RunError(
            f"The run {run.name} cannot go on, because its trials could not be compared: "
            f"{', '.join(map(str, harmful))}. Put that back, or start a new search."
        )
    if found and not force:
        raise RunError(
            f"The run {run.name} was searched with other versions: {', '.join(map(str, found))}. "
            "Install those, or go on with --force."
        )


def differences(
    run: Run, snapshot_id: str, experiment: Experiment | None = None, space: Space | None = None
) -> Iterator[Difference]:
    """Everything that is not as it was when the run began."""
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
