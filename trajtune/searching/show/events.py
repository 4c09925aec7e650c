"""Events of trials in a search, for displays."""

from collections.abc import Callable
from typing import Literal

Event = Literal["start", "damage", "epoch", "end"]
"""A trial starts, finds damaged checkpoints, completes an epoch, or ends."""

Listener = Callable[[Event, int], None]
"""Called with each event and the trial's number, after the study has recorded it."""
