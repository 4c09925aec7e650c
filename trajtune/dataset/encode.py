"""Encode the careers of one split: titles to indices, dates to tenure and hireability labels.

The careers are those of `dataset.as_of`, so labels hold what was known when the split ended. A role still
held today may have been young at the cutoff; that somebody stayed in it became known later and would leak.
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
from trajtune.dataset.arrays import CareerArrays, last_roles
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
"""The columns of a split's file that a `CareerArrays` is made of."""

_TITLES_IN_A_BLOCK: Final = 2**21


@dataclass(frozen=True)
class SplitData:
    """One split, encoded, with its ids, titles and dates for reports.

    Attributes:
        arrays: What models read.
        candidate_ids: string ``[N]``, sorted in each partition.
        titles: list of string ``[N]``: surface forms, aligned with ``arrays.title_ids``.
        split_dates: date32 ``[N]``.
    """

    arrays: CareerArrays
    candidate_ids: pa.Array
    titles: pa.ListArray
    split_dates: pa.Array


def joined(parts: Sequence[SplitData]) -> SplitData:
    """The careers of several parts, one part after the other.

    Raises:
        pa.ArrowInvalid: If they are more text than an array holds.
    """
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([part.arrays.offsets[-1] for part in parts])
    starts = ends - [part.arrays.offsets[-1] for part in parts]
    offsets = [part.arrays.offsets[1:] + start for part, start in zip(parts, starts, strict=True)]
    columns = {
        name: np.concatenate([part.arrays.to_dict()[name] for part in parts])
        for name in parts[0].arrays.to_dict()
        if name != "offsets"
    }
    arrays = CareerArrays.from_dict({**columns, "offsets": np.concatenate([[0], *offsets]).astype(np.int64)})
    texts = zip(*((part.candidate_ids, part.titles, part.split_dates) for part in parts), strict=True)
    return SplitData(arrays, *(pa.concat_arrays(list(column)) for column in texts))


def with_vocabulary(data: SplitData, encoder: TitleEncoder) -> SplitData:
    """The same careers with the title ids of another vocabulary."""
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
        encoder: Fitted on train.
        settings: Where the hireability label comes from.
        observed: The last day that this split knows of: the day before its cutoff, or the as-of date.
        ended_since: The split's first day, by ``split.by: move``: outcomes are measured on the roles that
            ended on it or later. None: on last roles alone.
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
    """How many titles of a split the service does not see as the model does.

    Attributes:
        roles: Number of all roles.
        targets: Number of last roles.
        another_roles: Number of roles whose title the service takes for another one of the vocabulary.
        another_targets: The same of last roles.
        missing_roles: Number of roles whose title the vocabulary holds and the service does not find; by the
            service's rule, of those whose title it cannot read.
        missing_targets: The same of last roles.
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
    """Compare the title ids of a split with those that the service finds.

    Args:
        data: Encoded by ``encoder``.
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
    """Whether the service sees nothing of a title that has letters or digits."""
    return not service_key(title).strip() and identity(title) != ""


def _ids(titles: pa.Array, encode: Callable[[str], int]) -> NDArray[np.int32]:
    """int32 ``[R]``; each distinct title of a block is encoded once, which bounds the Python objects."""
    blocks = [np.empty(0, np.int32)]
    for begin in range(0, len(titles), _TITLES_IN_A_BLOCK):
        coded = titles.slice(begin, _TITLES_IN_A_BLOCK).dictionary_encode()
        ids = np.array([encode(title) for title in coded.dictionary.to_pylist()], dtype=np.int32)
        blocks.append(ids[coded.indices.to_numpy()])
    return np.concatenate(blocks)


def _outcomes(roles: Roles, ended_since: date | None) -> NDArray[np.bool_]:
    """Roles that tenure and hireability are measured on, bool ``[R]``; see `arrays.outcome_examples`.

    A last role of which the end is known began in the window too, if the split is by move, so the long ones
    among them are in no split. A first role has no input.
    """
    is_last = last_roles(roles.offsets)
    if ended_since is None:
        return is_last
    is_outcome = np.asarray(roles.ended >= np.datetime64(ended_since)) & ~is_last  # NaT is not
    is_outcome[roles.offsets[:-1]] = False
    return is_outcome


def _held_months(roles: Roles, observed: date) -> NDArray[np.float32]:
    """Complete months that a last role is known to have been held on ``observed``; NaN for every other role.

    An earlier role without an end is not known to be held: nobody recorded when it ended.
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
    """The proxy label ``[R]``: 1 if somebody certainly stayed ``months``, 0 if certainly not, else NaN.

    Two dates known by the year alone are up to 12 months nearer or farther than they look.
    """
    slack = np.where((precision == Precision.YEAR) & ~np.isnan(tenure), 12, 0)
    label = np.full(len(tenure), np.nan, np.float32)
    label[at_least - slack >= months] = 1
    label[tenure + slack < np.where(slack > 0, months + 1, months)] = 0
    return label


def _labelled(hireable: pa.ChunkedArray, offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    """The given label ``[R]``: it belongs to a career's last role; NaN for every other role."""
    label = np.full(int(offsets[-1]), np.nan, np.float32)
    label[offsets[1:] - 1] = hireable.combine_chunks().to_numpy(zero_copy_only=False)
    return label


def split_of(table: pa.Table) -> SplitData:
    """The careers in the rows of a split's file."""
    return SplitData(
        arrays_of(table), *(table[name].combine_chunks() for name in ("candidate_id", "titles", "split_date"))
    )


def arrays_of(table: pa.Table) -> CareerArrays:
    """The careers in some rows of a split's file, of which the columns `PER_ROLE` are needed."""
    columns = {name: table[name].combine_chunks() for name in PER_ROLE}
    offsets = offsets_of(columns["title_ids"])
    return CareerArrays(
        offsets=offsets,
        **{name: column.flatten().to_numpy(zero_copy_only=False) for name, column in columns.items()},
    )


def table_of(data: SplitData) -> pa.Table:
    """The rows of a split's file; the inverse of `split_of`."""
    offsets = data.arrays.offsets.astype(np.int32)
    columns: dict[str, pa.Array] = {
        "candidate_id": data.candidate_ids,
        "split_date": data.split_dates,
        "titles": data.titles,
    }
    for name in PER_ROLE:
        columns[name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(getattr(data.arrays, name)))
    return pa.table(columns)
