"""Ray Tune's scheduler: the session records each epoch and decides whether the trial continues."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

if TYPE_CHECKING:
    from trajtune.searching.session import SearchSession

_REPORT_PREFIX = "report/"
_RAYS_OWN = "ray.exceptions."
"""Beginning of an error that Ray raised in the process of a trial, for example because a node is lost."""


class StudyScheduler(FIFOScheduler):  # type: ignore[misc]
    """Stops a trial when the session decides so."""

    def __init__(self, session: "SearchSession") -> None:
        super().__init__()
        self._session = session

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Record an epoch and decide whether the trial continues."""
        report = {
            key.removeprefix(_REPORT_PREFIX): value
            for key, value in result.items()
            if key.startswith(_REPORT_PREFIX)
        }
        goes_on = self._session.record_epoch(trial.trial_id, {**report, "node": result["hostname"]})
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Remember the error that Ray has written; it is recorded if this was the last attempt."""
        if trial.error_file:
            lines = _last_failure(Path(trial.error_file).read_text("utf-8"))
            reason = _reason(lines)
            is_lost = not _is_traceback(lines) or reason.startswith(_RAYS_OWN)
            self._session.note_failure(trial.trial_id, reason, is_lost=is_lost)

    def __reduce__(self) -> tuple[Any, ...]:
        return (object, ())


def _last_failure(text: str) -> list[str]:
    """Return the lines about the last failure from Ray's text about all failures of a trial."""
    return [line.strip() for line in text.rpartition("Failure #")[2].splitlines()[1:] if line.strip()]


def _is_traceback(lines: list[str]) -> bool:
    """Return whether the trial raised an exception; otherwise Ray reports that its process died."""
    return any(line.startswith(("Traceback", 'File "')) for line in lines)


def _reason(lines: list[str]) -> str:
    """Return the line with the reason: the last of a traceback, the first of a report of a dead process."""
    return lines[-1] if _is_traceback(lines) else lines[0]
