"""Whether a run may be resumed: compare its snapshot, versions and settings with the present ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trajtune.errors import RunError
from trajtune.experiment.params import Settings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.searching.runs.create import versions
from trajtune.searching.runs.directory import Run
from trajtune.storage.path import StoredPath

_MAY_DIFFER: Final = (
    "search.trials",
    "search.space",  # its content is compared, not its name
    "search.max_concurrent",
    "search.gpus_per_trial",
    "search.keep_checkpoints",
    "search.max_failures",
    "search.time_budget_s",
    "search.max_epochs_total",
    "search.at_budget",
    "finalize.",
    "storage.runs",
    "storage.snapshots",
    "storage.bundles",
    "tracking.",
)
"""Settings that decide how much is searched and what happens afterwards, but not the value of a trial."""

_KEPT: Final = ("search.trials", "search.space", "storage.runs")
"""Those of them that a run keeps: the first is changed by --trials, the last is where the run was found."""


_LONGEST: Final = 80
"""Characters of a value in a message."""


@dataclass(frozen=True)
class Expected:
    """What the caller of a resume says of the run; each part is compared with it, and None says nothing.

    Attributes:
        experiment: The experiment.
        space: A name in search_spaces/ or a path; None: that of ``experiment``.
        run: The run's name.
        snapshot: Where its snapshot is now: a directory or a URI.
        snapshot_id: Hash of its snapshot's content.
        warm_start: The earlier run whose best configurations it started with.
    """

    experiment: Experiment | None = None
    space: str | None = None
    run: str | None = None
    snapshot: str | StoredPath | None = None
    snapshot_id: str | None = None
    warm_start: str | None = None


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
        return f"{self.what} {_short(self.before)} → {_short(self.now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def check_resumable(run: Run, expected: Expected = Expected(), *, force: bool = False) -> None:
    """Refuse to resume a run that is not what the caller expects, or whose trials could not be compared.

    Args:
        run: The run.
        expected: What the caller says of it.
        force: Allow harmless differences, which are other versions of packages.

    Raises:
        RunError: With every difference that forbids it.
    """
    changes = list(differences(run, expected))
    harmful = [change for change in changes if not change.harmless]
    if harmful:
        raise RunError(
            f"The run {run.name} cannot go on, because its trials could not be compared: "
            f"{', '.join(map(str, harmful))}. Put that back, leave it out, or start a new search."
        )
    if changes and not force:
        raise RunError(
            f"The run {run.name} was searched with other versions: {', '.join(map(str, changes))}. "
            "Install those, or go on with --force."
        )


def differences(run: Run, expected: Expected) -> Iterator[Difference]:
    """Everything that has changed since the run began, and everything that it is not."""
    if expected.run is not None and expected.run != run.name:
        yield Difference("--run", run.name, expected.run, harmless=False)
    if expected.snapshot_id is not None and expected.snapshot_id != run.snapshot_id:
        yield Difference("snapshot", run.snapshot_id[:16], expected.snapshot_id[:16], harmless=False)
    now = versions()
    for name, before in run.manifest["versions"].items():
        if now[name] != before:
            yield Difference(name, before, now[name], harmless=True)
    experiment, space = expected.experiment, expected.space
    if experiment is not None:
        space = space or experiment.search.space
        for name, a, b in _changed(run.experiment, experiment):
            if not name.startswith(_MAY_DIFFER):
                yield Difference(name, a, b, harmless=False)
    if space is not None:
        for name, a, b in _changed(run.space, load_space(space)):
            yield Difference(f"space.{name}", a, b, harmless=False)


def changed_settings(run: Run, experiment: Experiment) -> dict[str, dict[str, Any]]:
    """What a resume with ``experiment`` changes, by section: settings on which no trial's value depends."""
    changed: dict[str, dict[str, Any]] = {}
    content = experiment.model_dump(mode="json")
    for name, _, _ in _changed(run.experiment, experiment):
        if name.startswith(_MAY_DIFFER) and not name.startswith(_KEPT):
            section, setting, *_ = name.split(".")
            changed.setdefault(section, {})[setting] = content[section][setting]
    return changed


def _changed(before: Settings, now: Settings) -> Iterator[tuple[str, Any, Any]]:
    """Name, former and present value of each setting that differs, by its path with dots."""
    yield from _differing(before.model_dump(mode="json"), now.model_dump(mode="json"), "")


def _differing(
    before: Mapping[str, Any], now: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, Any, Any]]:
    for key in {**before, **now}:
        name, a, b = f"{prefix}{key}", before.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differing(a, b, f"{name}.")
        elif a != b:
            yield name, a, b
