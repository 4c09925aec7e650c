"""When each trial was trained and where, laid out so that no two overlap and idle time shows as a gap.

A study records a trial's start and end and the node of each epoch, not the process: trials of one node that
overlap in time are put on numbered places of that node, the first that is free.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from trajtune.search.study.trial_records import TrialRecord

NO_NODE: Final = "node not recorded"
"""Where a trial was that reported no epoch."""


@dataclass(frozen=True)
class Span:
    """One trial on the clock.

    Attributes:
        trial: Which.
        start: When it was asked.
        end: When it ended; of one that has not, the last moment that the study knows of.
    """

    trial: TrialRecord
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """From start to end."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class Worker:
    """A place for one trial at a time.

    Attributes:
        name: Of its node, with a number if the node has several.
        spans: In time; none overlaps another.
    """

    name: str
    spans: tuple[Span, ...]

    @property
    def busy_s(self) -> float:
        """Seconds with a trial."""
        return sum(span.seconds for span in self.spans)


def spans(trials: Sequence[TrialRecord]) -> list[Span]:
    """The trials that were trained, by start; those whose results are another's were not."""
    trained = [
        (trial, trial.started) for trial in trials if trial.started is not None and trial.duplicate_of is None
    ]
    known = [trial.ended or start + timedelta(seconds=trial.seconds) for trial, start in trained]
    found = [Span(trial, start, trial.ended or max(known)) for trial, start in trained]
    return sorted(found, key=lambda span: (span.start, span.trial.number))


def workers(found: Sequence[Span]) -> list[Worker]:
    """The spans on as few places of each node as they need, nodes by name."""
    places: dict[str, list[list[Span]]] = {}
    for span in found:
        on_node = places.setdefault(_node(span.trial), [])
        free = next((place for place in on_node if place[-1].end <= span.start), None)
        if free is None:
            on_node.append([span])
        else:
            free.append(span)
    return [
        Worker(f"{node}, place {number}" if len(on_node) > 1 else node, tuple(place))
        for node, on_node in sorted(places.items())
        for number, place in enumerate(on_node, start=1)
    ]


def _node(trial: TrialRecord) -> str:
    return str(trial.epochs[-1].get("node", NO_NODE)) if trial.epochs else NO_NODE
