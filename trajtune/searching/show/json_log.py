"""Reports a running search to programs: one line of JSON on stdout for each event.

Every line has ``event`` and ``time`` (ISO 8601, UTC). The events are

- ``search``: this session begins; ``run``, ``requested``, ``metric``, ``counts``;
- ``start``: ``trial``, ``origin``, ``params``; ``repeat_of`` and ``seed``, null unless it is a repeat;
- ``damage``: ``trial``, ``damage``: which checkpoints were damaged, and after which epoch training continued;
- ``epoch``: ``trial`` and the report of the epoch;
- ``end``: ``trial``, ``state``, ``best_epoch``, ``metrics``, ``error``, ``duplicate_of``,
  ``counts``, ``best`` (a number);
- ``done``: this session ends, for any reason; ``counts``, ``best``.

A number that is not finite is written as null, because JSON has no such numbers.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from trajtune.searching.show.events import Event
from trajtune.searching.study.trial_records import TrialRecord, best_trial, read_trials

if TYPE_CHECKING:
    from optuna import Study


class JsonLog:
    """Writes a line for each event immediately."""

    def __init__(self, study: "Study", file: TextIO) -> None:
        self._study, self._file = study, file

    def begin(self, run: str, requested: int, metric: str) -> None:
        """Write the event ``search`` when the session begins."""
        counts = self._counts(read_trials(self._study))
        self._write("search", run=run, requested=requested, metric=metric, counts=counts)

    def __call__(self, event: Event, number: int) -> None:
        """Write an event of a trial."""
        trials = read_trials(self._study)
        trial = trials[number]
        if event == "start":
            self._write(
                event,
                trial=number,
                origin=trial.origin,
                params=trial.params,
                repeat_of=trial.repeat_of,
                seed=trial.seed,
            )
        elif event == "damage":
            self._write(event, trial=number, damage=trial.damage)
        elif event == "epoch":
            self._write(event, trial=number, **trial.epochs[-1])
        else:
            self._write(
                event,
                trial=number,
                state=trial.state,
                best_epoch=trial.best_epoch,
                metrics=trial.metrics,
                error=trial.error,
                duplicate_of=trial.duplicate_of,
                **self._counts_and_best(trials),
            )

    def done(self) -> None:
        """Write the event ``done`` when the session ends."""
        self._write("done", **self._counts_and_best(read_trials(self._study)))

    def _counts_and_best(self, trials: Sequence[TrialRecord]) -> dict[str, Any]:
        best = best_trial(trials)
        return {"counts": self._counts(trials), "best": best.number if best else None}

    @staticmethod
    def _counts(trials: Sequence[TrialRecord]) -> dict[str, int]:
        return dict(Counter(trial.state for trial in trials))

    def _write(self, event: str, **content: Any) -> None:
        line = {"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **content}
        print(json.dumps(_finite(line), ensure_ascii=False, allow_nan=False), file=self._file, flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return value
