"""Ray Tune's searcher: the session suggests each trial and records how it ended."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ray.tune.search import Searcher

if TYPE_CHECKING:
    from trajtune.searching.session import SearchSession

_RECOUNT_EVERY_S: Final = 1.0
"""Seconds between two queries to Ray of how many trials fit; nodes join and leave."""


class StudySearcher(Searcher):  # type: ignore[misc]
    """Passes a session's trials to Ray Tune.

    Args:
        session: The session that decides and records.
        max_concurrent: Returns how many trials may run at once now.
        recounted: Called after each call of ``max_concurrent``.
    """

    def __init__(
        self,
        session: "SearchSession",
        max_concurrent: Callable[[], int],
        recounted: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._session, self._count_slots, self._recounted = session, max_concurrent, recounted
        self._slots, self._counted_at = 0, -math.inf

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial's config, None if there is none now, or FINISHED if there will be none.

        While a trial runs, its process may be lost, and then the trial is suggested again.
        """
        self._session.still_held()  # checked even while no trial can start
        if self._session.num_running >= self._max_concurrent():
            return None
        config = self._session.suggest(trial_id)
        if config is None and not self._session.has_waiting_duplicates and not self._session.num_running:
            return Searcher.FINISHED
        return config

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record how a trial ended, unless the scheduler has stopped it."""
        if error:
            self._session.end_failed(trial_id)
        else:
            self._session.end(trial_id, error=(result or {}).get("error"))

    def save(self, checkpoint_path: str) -> None:
        """Save nothing, because the study contains everything."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing, because a search resumes from the study."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune pickles its searcher with its own state, which trajtune never reads.
        return (object, ())

    def _max_concurrent(self) -> int:
        if time.monotonic() - self._counted_at > _RECOUNT_EVERY_S:
            self._slots, self._counted_at = self._count_slots(), time.monotonic()
            self._recounted()
        return self._slots
