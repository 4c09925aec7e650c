"""Checks whether a run may be resumed: compares its snapshot, versions and settings with the present ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trajtune.errors import RunError
from trajtune.experiment.params import Settings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Distribution, Space, describe, load_space
from trajtune.searching.runs.create import versions
from trajtune.searching.runs.directory import Run
from trajtune.storage.path import StoredPath

_MAY_DIFFER: Final = (
    "search.trials",
    "search.space",  # the content of the space is compared, not its name; --space changes it
    "search.max_concurrent",
    "search.gpus_per_trial",
    "search.models_per_process",
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
"""Settings that affect how much is searched and what happens afterwards, but not the value of a trial."""

_KEPT: Final = ("search.trials", "search.space", "storage.runs")
"""Settings of `_MAY_DIFFER` that resuming does not take over. ``search.trials`` is set by --trials."""


_LONGEST: Final = 80
"""Maximum number of characters of a value in a message."""


@dataclass(frozen=True)
class Expected:
    """What the caller of a resume expects of the run. Each value is compared with the run; None skips it.

    Attributes:
        experiment: The experiment.
        space: The space from now on, a name in search_spaces/ or a path; None: the run's.
        run: The run's name.
        snapshot: Present directory or URI of the run's snapshot.
        snapshot_id: Hash of the snapshot's content.
        warm_start: The earlier run whose best configurations the run started with.
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
        what: Name of the setting, for example ``search.seed``.
        before, now: Values at the start of the run and now.
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
    """Refuse to resume a run that differs from what is expected or whose trials would not be comparable.

    Args:
        run: The run to resume.
        expected: Expectations about the run.
        force: Whether to allow harmless differences, which are other versions of packages.

    Raises:
        RunError: If a difference forbids resuming; the message lists every such difference.
    """
    changes = list(differences(run, expected))
    harmful = [change for change in changes if not change.harmless]
    if harmful:
        raise RunError(
            f"The run {run.name} cannot be resumed, because its trials would not be comparable: "
            f"{', '.join(map(str, harmful))}. Undo the change, leave the option out, or start a new search."
        )
    if changes and not force:
        raise RunError(
            f"The run {run.name} was searched with other versions: {', '.join(map(str, changes))}. "
            "Install those versions, or resume with --force."
        )


def differences(run: Run, expected: Expected) -> Iterator[Difference]:
    """Yield everything that has changed since the run began or that differs from what is expected."""
    if expected.run is not None and expected.run != run.name:
        yield Difference("--run", run.name, expected.run, harmless=False)
    if expected.snapshot_id is not None and expected.snapshot_id != run.snapshot_id:
        yield Difference("snapshot", run.snapshot_id[:16], expected.snapshot_id[:16], harmless=False)
    now = versions()
    for name, before in run.manifest["versions"].items():
        if now[name] != before:
            yield Difference(name, before, now[name], harmless=True)
    experiment = expected.experiment
    if experiment is not None:
        for name, a, b in _changed(run.experiment, experiment):
            if not name.startswith(_MAY_DIFFER):
                yield Difference(name, a, b, harmless=False)
        if expected.space is None:
            yield from _space_differences(run, load_space(experiment.search.space))


def space_changes(before: Space, now: Space) -> list[str]:
    """Return what a change of the space changes, as one short text for each param."""
    names = [
        name for name in {**before.params, **now.params} if before.params.get(name) != now.params.get(name)
    ]
    return [f"{name} {_described(before, name)} → {_described(now, name)}" for name in names]


def _described(space: Space, name: str) -> str:
    entry = space.params.get(name)
    if not isinstance(entry, Distribution):
        return "as in `training`" if name not in space.params else repr(entry)
    log = " log" if getattr(entry, "log", False) else ""
    when = f" when {entry.when}" if entry.when else ""
    return f"{describe(space.searched[name])}{log}{when}"


def _space_differences(run: Run, space: Space) -> list[Difference]:
    """Return the differences between the run's space and the space of an experiment."""
    return [Difference(f"space.{name}", a, b, harmless=False) for name, a, b in _changed(run.space, space)]


def changed_settings(run: Run, experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Return the settings that a resume with ``experiment`` changes, by section.

    None of them affects the value of a trial.
    """
    changed: dict[str, dict[str, Any]] = {}
    content = experiment.model_dump(mode="json")
    for name, _, _ in _changed(run.experiment, experiment):
        if name.startswith(_MAY_DIFFER) and not name.startswith(_KEPT):
            section, setting, *_ = name.split(".")
            changed.setdefault(section, {})[setting] = content[section][setting]
    return changed


def _changed(before: Settings, now: Settings) -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted name, former value and present value of each setting that differs."""
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
