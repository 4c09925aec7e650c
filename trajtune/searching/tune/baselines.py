"""Measures the baselines on val in a Ray task, so that the first trial does not wait for them."""

from typing import Any

import ray

from trajtune.careers.exchange.partitions import fetched
from trajtune.dataset.arrays import CareerArrays
from trajtune.searching.runs.directory import Run
from trajtune.searching.shared_careers import SharedCareers
from trajtune.searching.show.events import Event
from trajtune.searching.val_baselines import measure_baselines


class BaselineTask:
    """Measures the baselines of a run, unless it has them, and writes them to the run.

    Runs of earlier versions lack the settings that the baseline `ngram` chose, so they are measured again.

    Args:
        run: The run, locked by this process.
        careers: References to the careers of ``train`` and ``val``.
        vocab_size: Number of titles, including the unknown title.
    """

    def __init__(self, run: Run, careers: SharedCareers, vocab_size: int) -> None:
        self._run, self._careers, self._vocab_size = run, careers, vocab_size
        self._task: ray.ObjectRef | None = None
        self._is_needed = run.ngram_choice() is None

    def on_event(self, event: Event) -> None:
        """Start the task after the first epoch of a trial, and write the result once it is there."""
        if not self._is_needed or event != "epoch":
            return
        if self._task is None:
            self._start()
        elif ray.wait([self._task], timeout=0)[0]:
            self.finish()

    def finish(self) -> None:
        """Wait for the result and write it."""
        if not self._is_needed:
            return
        metrics, choice = fetched(self._task or self._start())
        self._run.write_baselines(metrics, choice)
        self._is_needed = False

    def _start(self) -> "ray.ObjectRef":
        # Without a CPU of its own, the task never takes the place of a trial.
        task = ray.remote(num_cpus=0)(_measure)
        self._task = task.remote(self._careers["train"], self._careers["val"], self._vocab_size)
        return self._task


def _measure(train: dict[str, Any], val: dict[str, Any], vocab_size: int) -> Any:
    """Measure the baselines in a process of Ray."""
    from trajtune.model.threads import one_thread

    with one_thread():
        return measure_baselines(CareerArrays.from_dict(train), CareerArrays.from_dict(val), vocab_size)
