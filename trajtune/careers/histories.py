"""The work histories of a block in columns: one row per role, and the values beside the roles."""

# N careers, R roles in all careers

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.role_validation import RawRoles
from trajtune.careers.sources.column_names import CURRENT_NAME, alternatives
from trajtune.experiment.sources import JsonHistory

FIELDS: Final = ("title", "start", "end", "current")
"""The fields of a role that are read."""


@dataclass(frozen=True)
class Histories:
    """The histories of a block.

    Attributes:
        owners: int64 ``[R]``: the career of each role, ascending.
        roles: The roles as in the source, ``[R]``, in list order within a career.
        faults: string ``[N]``: the reason why a history cannot be read, else null.
        labels: string ``[N]``: the label beside the roles, null if there is none.
        ids: string ``[N]``: the id beside the roles, null if there is none or it is not needed.
        absent: string ``[N]``: if ``history_key`` finds nothing, the keys that exist, else null.
    """

    owners: NDArray[np.int64]
    roles: RawRoles
    faults: pa.Array
    labels: pa.Array
    ids: pa.Array
    absent: pa.Array

    def only(self, is_kept: NDArray[np.bool_]) -> "Histories":
        """Return the histories of the selected careers, bool ``[N]``."""
        new_owners = np.cumsum(is_kept) - 1
        roles = np.flatnonzero(is_kept[self.owners])
        careers = pa.array(np.flatnonzero(is_kept))
        return Histories(
            new_owners[self.owners[roles]],
            self.roles.take(roles),
            *(c.take(careers) for c in self._columns()),
        )

    def _columns(self) -> tuple[pa.Array, ...]:
        """The columns with one entry per career."""
        return self.faults, self.labels, self.ids, self.absent


Parts = list[tuple[NDArray[np.int64], Histories]]
"""Histories of some careers of a block, with their indices in it."""


def joined(parts: Parts) -> Histories:
    """Join parts, at least one, to the histories of a block, in the order of their indices."""
    places = np.concatenate([at for at, _ in parts])
    if len(parts) == 1 and (places == np.arange(len(places))).all():
        return parts[0][1]
    careers = pa.array(np.argsort(places))
    owners = np.concatenate([at[histories.owners] for at, histories in parts])
    by_owner = np.argsort(owners, kind="stable")
    columns = zip(*(histories._columns() for _, histories in parts), strict=True)
    return Histories(
        owners[by_owner],
        RawRoles.concatenated([histories.roles for _, histories in parts]).take(by_owner),
        *(pa.concat_arrays(column).take(careers) for column in columns),
    )


def keys_by_field(layout: JsonHistory) -> dict[str, tuple[str, ...]]:
    """Return the possible keys of each of `FIELDS` in a role; the first with a value counts."""
    keys = (layout.title_key, layout.start_key, layout.end_key, layout.current_key or CURRENT_NAME)
    return {field: alternatives(key) if key else () for field, key in zip(FIELDS, keys, strict=True)}


def has_paths(*names: Mapping[str, Sequence[str]]) -> bool:
    """Return whether a name is a path of keys, which only `json_objects` can follow."""
    return any("." in key for by_field in names for keys in by_field.values() for key in keys)


def path_of(history_key: str | None) -> Sequence[str]:
    """Split a ``history_key`` into its keys."""
    return () if history_key is None else tuple(history_key.split("."))
