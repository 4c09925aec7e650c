"""Event logs record only the start of a role: a role ends when the next one starts."""

# R roles

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.role_validation import ROLES


def ends_at_next_start(owners: NDArray[np.int64], roles: pa.Table) -> pa.Table:
    """Set the end of each role to the next later start in its career, with that start's precision.

    Like a recorded end, such an end becomes known on its day, so a split that ends earlier does not have it.
    Faulty roles have no effect.

    Args:
        owners: int64 ``[R]``: the career of each role.
        roles: `ROLES` ``[R]``; its ends are replaced.
    """
    starts, precisions = (roles[name].to_numpy() for name in ("start", "precision"))
    good = np.flatnonzero(roles["fault"].to_numpy() == 0)
    order = good[np.lexsort((precisions[good], starts[good], owners[good]))]
    begins = np.ones(len(order), bool)  # of a group of roles with the same start
    begins[1:] = (owners[order][1:] != owners[order][:-1]) | (starts[order][1:] != starts[order][:-1])
    first = order[begins]
    has_next = np.append(owners[first][1:] == owners[first][:-1], False)[: len(first)]
    following = np.append(first[1:], 0)[: len(first)]
    group = np.cumsum(begins) - 1
    next_of = np.full(roles.num_rows, -1)
    next_of[order] = np.where(has_next, following, -1)[group]
    is_open = next_of < 0
    columns = {
        "end": pa.array(starts[next_of], pa.int32(), mask=is_open),
        "end_precision": pa.array(precisions[next_of], pa.int8(), mask=is_open),
    }
    for name, column in columns.items():
        roles = roles.set_column(roles.column_names.index(name), ROLES.field(name), column)
    return roles
