"""Ray Tune's scheduler: the session records each epoch and decides whether the trial goes on."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

if TYPE_CHECKING:
    from trajtune.searching.session import SearchSession

_REPORT_PREFIX = "report/"


class StudyScheduler(FIFOScheduler):  # type: ignore[misc]
    """Stops a trial when the session says so."""

    def __init__(self, session: "SearchSession") -> None:
        super().__init__()
        self._session = session

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Record an epoch and decide whether there is to be another."""
        report = {
            key.removeprefix(_REPORT_PREFIX): value
            for key, value in result.items()
            if key.startswith(_REPORT_PREFIX)
        }
        goes_on = self._session.record_epoch(trial.trial_id, {**report, "node": result["hostname"]})
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Keep what Ray wrote of the error, which may be that of the last attempt."""
        if trial.error_file:
            self._session.note_failure(trial.trial_id, _reason(Path(trial.error_file).read_text("utf-8")))

    def __reduce__(self) -> tuple[Any, ...]:
        return (object, ())


def _reason(text: str) -> str:
    """The line that gives the reason, from what Ray has written about all failures of a trial."""
    lines = [line.strip() for line in text.rpartition("Failure #")[2].splitlines()[1:] if line.strip()]
    # A traceback ends with its error; Ray's report of a dead actor begins with the cause.
    is_traceback = any(line.startswith(("Traceback", 'File "')) for line in lines)
    return lines[-1] if is_traceback else lines[0]
