"""Choose the earlier days of a backtest, and write a small snapshot of what was known on each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.exchange.partitions import Partitions
from trajtune.dataset.encode import SplitData, table_of, with_vocabulary
from trajtune.dataset.identity.rule import TitleRule
from trajtune.dataset.snapshot import (
    MANIFEST,
    Snapshot,
    content_id,
    open_snapshot,
)
from trajtune.dataset.split import FEWEST_TO_CALIBRATE, SPLITS
from trajtune.dataset.titles import TitleEncoder
from trajtune.dataset.vocabulary_counts import count_titles
from trajtune.dataset.write_snapshot import Division, write_division
from trajtune.errors import SnapshotError, SplitError
from trajtune.experiment.settings import VocabularySettings
from trajtune.monitoring.known_careers import KnownCareers
from trajtune.searching.readiness import TOO_FEW
from trajtune.storage.files import publish_directory, staging_directory
from trajtune.storage.path import StoredPath, remove_tree

FIRST_SHARE: Final = 0.5
"""Share of the moves before the val cutoff that the first origin knows."""

HELD_OUT: Final = 0.15
"""Share of the moves known at an origin that stop its training and calibrate its model: the newest moves.

The share is larger if these are the moves of fewer than `FEWEST_TO_CALIBRATE` people, up to half of all.
"""


@dataclass(frozen=True)
class Origin:
    """A day on which models are trained as if it were today.

    Attributes:
        day: First day that is not known.
        held_out_since: First day of the newest known moves, which stop the training and calibrate.
        until: First day after the window in which the models are measured.
    """

    day: date
    held_out_since: date
    until: date


def choose_origins(careers: KnownCareers, count: int) -> list[Origin]:
    """Return days that divide the newer half of the moves before the val cutoff into equal windows.

    Args:
        careers: Careers of train and val.
        count: Number of origins, at least 1.

    Raises:
        SplitError: If there are too few days or people for so many.
    """
    days = careers.move_days(careers.val_cutoff)
    shares = np.linspace(FIRST_SHARE, 1, count, endpoint=False)
    chosen = [_day(days[int(share * len(days))]) for share in shares] if len(days) else []
    if len(set(chosen)) < count or not all(day < careers.val_cutoff for day in chosen):
        raise SplitError(
            f"{count} origins need as many different days, but the newer half of {len(days)} moves before "
            f"{careers.val_cutoff} gives {len(set(chosen))}. Use fewer --origins."
        )
    return [origin_on(careers, day, until) for day, until in pairwise([*chosen, careers.val_cutoff])]


def origin_on(careers: KnownCareers, day: date, until: date) -> Origin:
    """Return the origin on a day; the moves that it holds out depend on nothing later.

    Raises:
        SplitError: If too few people moved before the day.
    """
    held_out = _held_out_since(careers, day)
    num = careers.moved_in(held_out, day).arrays.num_careers
    if num < TOO_FEW or not careers.before(held_out).arrays.num_careers:
        raise SplitError(
            f"An origin needs {TOO_FEW} people in its newest moves to calibrate on, "
            f"and careers before them, but {day} has {num}. Load more careers, or use fewer --origins."
        )
    return Origin(day, held_out, until)


def _held_out_since(careers: KnownCareers, day: date) -> date:
    """Return the first day of the newest moves, `HELD_OUT` or more for `FEWEST_TO_CALIBRATE` people."""
    moves = careers.move_days(day)
    if not len(moves):
        return day
    last_moves = np.sort(careers.before(day).split_dates.to_numpy(zero_copy_only=False))
    wanted = min(FEWEST_TO_CALIBRATE, (len(last_moves) + 1) // 2)
    by_share = np.datetime64(int(moves[int((1 - HELD_OUT) * len(moves))]), "D")
    return date.fromisoformat(str(min(by_share, last_moves[-wanted])))


def origin_division(
    careers: KnownCareers, origin: Origin, vocabulary: VocabularySettings, rule: TitleRule
) -> Division:
    """Return the data that the models of an origin are trained, stopped and calibrated on; none is later.

    Args:
        careers: Careers of train and val.
        origin: The day.
        vocabulary: Settings for the titles that are kept.
        rule: Rule for titles that count as one title.
    """
    train = careers.before(origin.held_out_since)
    held_out = careers.moved_in(origin.held_out_since, origin.day)
    titles = pa.table({"titles": train.titles})
    counted = {**dict.fromkeys(SPLITS, titles.slice(0, 0)), "train": titles}
    tally = count_titles(Partitions([counted]), vocabulary, rule)
    encoder = TitleEncoder.fit(tally.train, rule=rule)
    splits = {name: with_vocabulary(data, encoder) for name, data in (("train", train), ("val", held_out))}
    tables = {name: table_of(data) for name, data in splits.items()}
    return Division(Partitions([tables]), encoder, _description(origin, splits, encoder, rule))


def origin_snapshot(parent: StoredPath, division: Division) -> Snapshot:
    """Write a division to disk atomically; an existing one with the same content is used again.

    Args:
        parent: The folder of all origins.
        division: From `origin_division`.
    """
    target = parent / division.description["origin"]
    with staging_directory(target) as folder:
        manifest = write_division(folder, division, [], {"trajtune": version("trajtune")})
        try:
            found = open_snapshot(target)
        except SnapshotError:
            found = None
        if found is None or found.id != content_id(manifest):
            if target.exists():
                remove_tree(target)
            publish_directory(folder, target, last=MANIFEST)
    return open_snapshot(target)


def window_of(careers: KnownCareers, origin: Origin) -> SplitData:
    """Return the people who moved in the window after an origin, as they were known at its end."""
    return careers.moved_in(origin.day, origin.until)


def _description(
    origin: Origin, splits: Mapping[str, SplitData], encoder: TitleEncoder, rule: TitleRule
) -> dict[str, Any]:
    return {
        "origin": origin.day.isoformat(),
        "cutoffs": {"train": origin.held_out_since.isoformat(), "val": origin.day.isoformat()},
        "splits": {name: {"careers": data.arrays.num_careers} for name, data in splits.items()},
        "vocab_size": encoder.vocab_size,
        "titles": {"identity": rule.by, "synonyms": len(rule.synonyms)},
    }


def _day(days: NDArray[np.int64] | np.int64) -> date:
    return date.fromisoformat(str(np.datetime64(int(days), "D")))
