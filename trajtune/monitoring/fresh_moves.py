"""Select the moves that a bundle has not seen, and the careers that its baselines are fitted on."""

from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from trajtune.careers.schema import LoadedCareers
from trajtune.dataset.as_of import Roles, careers_as_of
from trajtune.dataset.encode import SplitData, encode_split
from trajtune.dataset.split import SPLIT_DATE
from trajtune.dataset.titles import TitleEncoder
from trajtune.experiment.settings import DataSettings

_DAY: Final = timedelta(days=1)


def moves_since(
    loaded: LoadedCareers, encoder: TitleEncoder, settings: DataSettings, since: date
) -> SplitData | None:
    """Return the people whose last role certainly began after a day, with all earlier roles as input.

    A role of month or year precision counts if the whole month or year is later than the day.

    Args:
        loaded: The careers that were read.
        encoder: The bundle's vocabulary.
        settings: Settings for labels.
        since: Last day of the bundle's data.

    Returns:
        Their careers as they are known now; None if nobody moved since.
    """
    if loaded.as_of <= since:
        return None
    careers = careers_as_of(
        loaded.careers, loaded.as_of, as_of=loaded.as_of, merge_repeats=settings.merge_repeats
    )
    roles = Roles.of(careers, loaded.as_of)
    has_moved = roles.starts[roles.offsets[1:] - 1] > np.datetime64(since)
    if not has_moved.any():
        return None
    dated = careers.append_column(SPLIT_DATE, pa.array(roles.last_begun(), pa.date32()))
    moved = dated.filter(pa.array(has_moved)).combine_chunks()
    return encode_split(moved, encoder, settings, observed=loaded.as_of, ended_since=since + _DAY)


def careers_before(
    loaded: LoadedCareers, encoder: TitleEncoder, settings: DataSettings, cutoff: date
) -> SplitData:
    """Return all careers as known on the day before a cutoff; the bundle's baselines are fitted on them.

    Args:
        loaded: The careers that were read.
        encoder: The bundle's vocabulary.
        settings: Settings for labels.
        cutoff: First day that the bundle's training did not know.
    """
    eve = cutoff - _DAY
    careers = careers_as_of(
        loaded.careers, eve, as_of=loaded.as_of, merge_repeats=settings.merge_repeats
    ).combine_chunks()
    begun = Roles.of(careers, loaded.as_of).last_begun()
    dated = careers.append_column(SPLIT_DATE, pa.array(begun, pa.date32()))
    return encode_split(dated, encoder, settings, observed=eve)


def training_cutoff(metrics: dict[str, Any]) -> date:
    """Return the first day that a bundle's training did not know, from its metrics."""
    cutoffs = metrics["cutoffs"]
    return date.fromisoformat(cutoffs.get("calibration", cutoffs["train"]))
