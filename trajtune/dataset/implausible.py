"""Careers that no split can use, moved to the quarantine once the cutoffs are known."""

from dataclasses import replace
from datetime import date
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trajtune.careers.reasons import Reason
from trajtune.careers.schema import QUARANTINE, LoadedCareers
from trajtune.dataset.as_of import held_too_long


def without_endless_roles(
    loaded: LoadedCareers, last_day_of_train: date, merge_repeats: bool
) -> LoadedCareers:
    """The careers without those whose last role would be held for more than seventy years.

    They are in no split, because each split ends on that day or later.

    Args:
        loaded: What was read.
        last_day_of_train: The earliest day that a split ends on.
        merge_repeats: As of `as_of.careers_as_of`; for the counts.
    """
    is_too_long = held_too_long(loaded.careers, last_day_of_train, loaded.as_of)
    if not is_too_long.any():
        return loaded
    left_out = loaded.careers.filter(pa.array(is_too_long))
    num_roles = pc.list_value_length(left_out["titles"]).to_numpy()
    is_row = loaded.counts["rows_in"] != loaded.counts["careers_in"]  # a role, not a career
    num_rows = num_roles if is_row else np.ones(len(left_out), np.int64)
    starts = [days[-1].isoformat() for days in left_out["starts"].to_pylist()]
    entries = pa.table(
        [
            left_out["candidate_id"].combine_chunks(),
            pa.repeat("career", len(left_out)),
            pa.repeat(Reason.HELD_TOO_LONG.code, len(left_out)),
            pa.array([f"last role without an end since {start}" for start in starts], pa.string()),
            pa.array(num_rows, pa.int64()),
        ],
        schema=QUARANTINE,
    )
    quarantine = pa.concat_tables([loaded.quarantine, entries])
    counts = dict(loaded.counts)
    runs = [len(list(groupby(titles))) for titles in left_out["titles"].to_pylist()]
    num_left = sum(runs) if merge_repeats else int(num_roles.sum())
    counts["roles"] -= num_left
    counts["roles_merged"] -= int(num_roles.sum()) - num_left
    counts["roles_quarantined"] += int(num_roles.sum())
    counts["careers"] -= len(left_out)
    counts["careers_quarantined"] += len(left_out)
    counts["rows_kept"] -= int(num_rows.sum())
    counts["rows_quarantined"] += int(num_rows.sum())
    order = [(name, "ascending") for name in quarantine.column_names]
    return replace(
        loaded,
        careers=loaded.careers.filter(pa.array(~is_too_long)).combine_chunks(),
        quarantine=quarantine.sort_by(order).combine_chunks(),
        counts=counts,
    )
