"""Ray Tune's scheduler: the session records each epoch and decides whether the trial continues."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

if TYPE_CHECKING:
    from trajtune.searching.session import SearchSession

_REPORT_PREFIX = "report/"


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
            self._session.note_failure(trial.trial_id, _reason(Path(trial.error_file).read_text("utf-8")))

    def __reduce__(self) -> tuple[Any, ...]:
        return (object, ())


def _reason(text: str) -> str:
    """Return the line with the reason from Ray's text about all failures of a trial."""
    lines = [line.strip() for line in text.rpartition("Failure #")[2].splitlines()[1:] if line.strip()]
    # A traceback ends with its error; Ray's report of a dead actor begins with the cause.
    is_traceback = any(line.startswith(("Traceback", 'File "')) for line in lines)
    return lines[-1] if is_traceback else lines[0]
