"""What happens to trials in a search, for those who show it."""

from collections.abc import Callable
from typing import Literal

Event = Literal["start", "damage", "epoch", "end"]
"""A trial starts, has met damaged checkpoints, has trained an epoch, has ended."""

Listener = Callable[[Event, int], None]
"""Called with each event and the trial's number, after the study has recorded it."""
