"""Arranges trials by node and time for a timeline. Trials of one worker never overlap; gaps are idle time.

A study records the start and end of a trial and the node of each epoch, but not the process. Trials of one
node that overlap in time are assigned to numbered workers of that node, each to the first free worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from trajtune.searching.study.trial_records import TrialRecord

NO_NODE: Final = "node not recorded"
"""The node of a trial that reported no epoch."""


@dataclass(frozen=True)
class Span:
    """The time that one trial took.

    Attributes:
        trial: The trial.
        start: Time at which it was suggested.
        end: Time at which it ended; for an unfinished trial, the latest time in the study.
    """

    trial: TrialRecord
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Seconds from start to end."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class Worker:
    """A worker, which trains one trial at a time.

    Attributes:
        name: Name of the worker's node, with a number if the node has several workers.
        spans: The worker's trials, ordered by start, without overlaps.
    """

    name: str
    spans: tuple[Span, ...]

    @property
    def busy_s(self) -> float:
        """Time with a trial, in seconds."""
        return sum(span.seconds for span in self.spans)


def spans(trials: Sequence[TrialRecord]) -> list[Span]:
    """Return the spans of the trained trials, ordered by start; duplicates were not trained."""
    trained = [
        (trial, trial.started) for trial in trials if trial.started is not None and trial.duplicate_of is None
    ]
    times = [trial.ended or start + timedelta(seconds=trial.seconds) for trial, start in trained]
    all_spans = [Span(trial, start, trial.ended or max(times)) for trial, start in trained]
    return sorted(all_spans, key=lambda span: (span.start, span.trial.number))


def workers(all_spans: Sequence[Span]) -> list[Worker]:
    """Assign the spans to as few workers of each node as possible; nodes are ordered by name."""
    spans_by_node: dict[str, list[list[Span]]] = {}
    for span in all_spans:
        of_node = spans_by_node.setdefault(_node(span.trial), [])
        free = next((of_worker for of_worker in of_node if of_worker[-1].end <= span.start), None)
        if free is None:
            of_node.append([span])
        else:
            free.append(span)
    return [
        Worker(f"{node}, worker {number}" if len(of_node) > 1 else node, tuple(of_worker))
        for node, of_node in sorted(spans_by_node.items())
        for number, of_worker in enumerate(of_node, start=1)
    ]


def _node(trial: TrialRecord) -> str:
    return str(trial.epochs[-1].get("node", NO_NODE)) if trial.epochs else NO_NODE
