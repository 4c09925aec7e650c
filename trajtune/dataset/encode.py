"""Encodes the careers of one split: titles become indices, and dates become tenures and hireability labels.

The careers come from `dataset.as_of`, so labels contain only what was known on the split's last day. A role
that is still held today may have just begun at the cutoff. That the person stayed became known later, so a
label that says so would leak the future.
"""

# N careers, R roles of all careers

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.parse.tenure import tenure_months
from trajtune.careers.schema import Precision
from trajtune.dataset.arrays import CareerArrays, joined_arrays, last_roles
from trajtune.dataset.as_of import Roles, offsets_of
from trajtune.dataset.identity.service_key import service_key
from trajtune.dataset.identity.unicode_key import identity
from trajtune.dataset.split import SPLIT_DATE
from trajtune.dataset.titles import UNKNOWN, TitleEncoder
from trajtune.experiment.settings import DataSettings

PER_ROLE: Final = (
    "title_ids",
    "tenure_months",
    "tenure_at_least",
    "hireable",
    "start_days",
    "is_outcome",
)
"""Columns of a split's file that become a `CareerArrays`."""

_TITLES_IN_A_BLOCK: Final = 2**21


@dataclass(frozen=True)
class SplitData:
    """One encoded split, with the ids, titles and dates that reports need.

    Attributes:
        arrays: The encoded careers that models read.
        candidate_ids: Id of each person, string ``[N]``, sorted within each partition.
        titles: Surface forms, list of string ``[N]``, aligned with ``arrays.title_ids``.
        split_dates: The date that put each career into the split, date32 ``[N]``.
    """

    arrays: CareerArrays
    candidate_ids: pa.Array
    titles: pa.ListArray
    split_dates: pa.Array


def joined(parts: Sequence[SplitData]) -> SplitData:
    """Concatenate the careers of several parts.

    Raises:
        pa.ArrowInvalid: If the text of all parts exceeds the limit of one Arrow array.
    """
    if len(parts) == 1:
        return parts[0]
    arrays = joined_arrays([part.arrays for part in parts])
    texts = zip(*((part.candidate_ids, part.titles, part.split_dates) for part in parts), strict=True)
    return SplitData(arrays, *(pa.concat_arrays(list(column)) for column in texts))


def with_vocabulary(data: SplitData, encoder: TitleEncoder) -> SplitData:
    """Return the same careers with the title ids of another vocabulary."""
    return replace(data, arrays=replace(data.arrays, title_ids=_ids(data.titles.flatten(), encoder.encode)))


def encode_split(
    careers: pa.Table,
    encoder: TitleEncoder,
    settings: DataSettings,
    *,
    observed: date,
    ended_since: date | None = None,
) -> SplitData:
    """Encode one split's careers.

    Args:
        careers: `careers.schema.CAREERS` ``[N]`` with `split.SPLIT_DATE`, as known on ``observed``.
        encoder: The vocabulary, fitted on train.
        settings: Settings that say where the hireability label comes from.
        observed: Last day that is known in this split: the day before its cutoff, or the as-of date.
        ended_since: First day of the split, with ``split.by: move``. Outcomes are then measured on the roles
            that ended on this day or later. None: outcomes are measured on last roles only.
    """
    roles = Roles.of(careers)
    starts, ends = (pa.array(days, pa.date32()) for days in (roles.starts, roles.ends))
    coarser = np.maximum(roles.precisions, roles.end_precisions)
    tenure = tenure_months(starts, ends, pa.array(coarser))
    at_least = np.where(np.isnan(tenure), _held_months(roles, observed), tenure)
    arrays = CareerArrays(
        title_ids=_ids(roles.titles, encoder.encode),
        offsets=roles.offsets,
        tenure_months=tenure,
        tenure_at_least=at_least.astype(np.float32),
        hireable=(
            _stayed(tenure, at_least, coarser, settings.hireable_months)
            if settings.hireable_key is None
            else _labelled(careers["hireable"], roles.offsets)
        ),
        start_days=roles.begun.astype(np.int32),
        is_outcome=_outcomes(roles, ended_since),
    )
    ids, titles, dates = (careers[name].combine_chunks() for name in ("candidate_id", "titles", SPLIT_DATE))
    return SplitData(arrays, ids, titles, dates)


@dataclass(frozen=True)
class AsServed:
    """Counts of roles whose title the service and the model do not see as the same title.

    Attributes:
        roles: Number of all roles.
        targets: Number of last roles.
        another_roles: Number of roles whose title the service takes for another title of the vocabulary.
        another_targets: Number of such last roles.
        missing_roles: Number of roles whose title is in the vocabulary and the service does not find. With
            ``vocabulary.identity: service``, number of roles whose title the service cannot read.
        missing_targets: Number of such last roles.
    """

    roles: int
    targets: int
    another_roles: int
    another_targets: int
    missing_roles: int
    missing_targets: int

    def __add__(self, other: "AsServed") -> "AsServed":
        return AsServed(*(getattr(self, of.name) + getattr(other, of.name) for of in fields(self)))


def as_served(data: SplitData, encoder: TitleEncoder) -> AsServed:
    """Compare the title ids of a split with the ids that the service finds.

    Args:
        data: The split, encoded with ``encoder``.
        encoder: The vocabulary.
    """
    ids, last = data.arrays.title_ids, data.arrays.offsets[1:] - 1
    served = _ids(data.titles.flatten(), encoder.encode_as_service)
    differs = served != ids
    another, missing = differs & (served != UNKNOWN), differs & (served == UNKNOWN)
    if encoder.by == "service":
        missing = _ids(data.titles.flatten(), _is_unreadable) != 0
    counts = (int(mask.sum()) for mask in (another, another[last], missing, missing[last]))
    return AsServed(len(ids), len(last), *counts)


def _is_unreadable(title: str) -> bool:
    """Return whether a title has letters or digits, but its service key is blank."""
    return not service_key(title).strip() and identity(title) != ""


def _ids(titles: pa.Array, encode: Callable[[str], int]) -> NDArray[np.int32]:
    """Encode titles, int32 ``[R]``. Blocks bound the number of Python strings in memory at once."""
    blocks = [np.empty(0, np.int32)]
    for begin in range(0, len(titles), _TITLES_IN_A_BLOCK):
        coded = titles.slice(begin, _TITLES_IN_A_BLOCK).dictionary_encode()
        ids = np.array([encode(title) for title in coded.dictionary.to_pylist()], dtype=np.int32)
        blocks.append(ids[coded.indices.to_numpy()])
    return np.concatenate(blocks)


def _outcomes(roles: Roles, ended_since: date | None) -> NDArray[np.bool_]:
    """Return whether tenure and hireability are measured on each role, bool ``[R]``.

    See `arrays.outcome_examples`. With ``split.by: move`` a last role with a known end also began in the
    window. The long roles among these are in no split, so last roles are excluded. A first role is excluded
    because it has no input.
    """
    is_last = last_roles(roles.offsets)
    if ended_since is None:
        return is_last
    is_outcome = np.asarray(roles.ended >= np.datetime64(ended_since)) & ~is_last  # False for NaT
    is_outcome[roles.offsets[:-1]] = False
    return is_outcome


def _held_months(roles: Roles, observed: date) -> NDArray[np.float32]:
    """Return the complete months from the start of each last role to ``observed``; NaN for other roles.

    An earlier role without an end is not known to be held: its end was not recorded.
    """
    last = roles.offsets[1:] - 1
    latest = pa.array(roles.begun[last], type=pa.date32())
    seen = pa.array(np.full(len(last), np.datetime64(observed)), type=pa.date32())
    exact = pa.array(np.full(len(last), Precision.DAY, np.int8))
    held = np.full(len(roles.begun), np.nan, np.float32)
    held[last] = np.maximum(tenure_months(latest, seen, exact), 0)
    return held


def _stayed(
    tenure: NDArray[np.float32], at_least: NDArray[np.float32], precision: NDArray[np.int8], months: int
) -> NDArray[np.float32]:
    """Return the proxy label ``[R]``: 1 if the person certainly stayed ``months``, 0 if not, else NaN.

    If only the years of two dates are known, the true distance differs by up to 12 months.
    """
    slack = np.where((precision == Precision.YEAR) & ~np.isnan(tenure), 12, 0)
    label = np.full(len(tenure), np.nan, np.float32)
    label[at_least - slack >= months] = 1
    label[tenure + slack < np.where(slack > 0, months + 1, months)] = 0
    return label


def _labelled(hireable: pa.ChunkedArray, offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the given label ``[R]``. It belongs to a career's last role; all other roles are NaN."""
    label = np.full(int(offsets[-1]), np.nan, np.float32)
    label[offsets[1:] - 1] = hireable.combine_chunks().to_numpy(zero_copy_only=False)
    return label


def split_of(table: pa.Table) -> SplitData:
    """Return the careers in the rows of a split's file."""
    return SplitData(
        arrays_of(table), *(table[name].combine_chunks() for name in ("candidate_id", "titles", "split_date"))
    )


def arrays_of(table: pa.Table) -> CareerArrays:
    """Return the careers in rows of a split's file. Only the columns `PER_ROLE` are needed."""
    columns = {name: table[name].combine_chunks() for name in PER_ROLE}
    offsets = offsets_of(columns["title_ids"])
    return CareerArrays(
        offsets=offsets,
        **{name: column.flatten().to_numpy(zero_copy_only=False) for name, column in columns.items()},
    )


def table_of(data: SplitData) -> pa.Table:
    """Return the rows of a split's file; the inverse of `split_of`."""
    offsets = data.arrays.offsets.astype(np.int32)
    columns: dict[str, pa.Array] = {
        "candidate_id": data.candidate_ids,
        "split_date": data.split_dates,
        "titles": data.titles,
    }
    for name in PER_ROLE:
        columns[name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(getattr(data.arrays, name)))
    return pa.table(columns)
