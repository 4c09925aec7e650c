"""Careers that continue after those of the finalized bundle, as its source would hold them later."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from tests.support.careers import changing_careers, loaded
from trajtune.careers.schema import CAREERS, LoadedCareers

LATER = date(2046, 1, 1)
_SHIFT = timedelta(days=20 * 365)


def newer(num_careers: int, change: Callable[[dict[str, Any]], None] = lambda career: None) -> LoadedCareers:
    """The bundle's careers, and more people whose careers are those of others twenty years later.

    Args:
        num_careers: How many more people.
        change: What is done to each of them.
    """
    rows = changing_careers(num_careers, seed=7).to_pylist()
    for row in rows:
        row["candidate_id"] = f"new-{row['candidate_id']}"
        row["starts"] = [day + _SHIFT for day in row["starts"]]
        row["ends"] = [day and day + _SHIFT for day in row["ends"]]
        change(row)
    table = pa.concat_tables([changing_careers(1600), pa.Table.from_pylist(rows, schema=CAREERS)])
    return loaded(table.combine_chunks(), LATER)
