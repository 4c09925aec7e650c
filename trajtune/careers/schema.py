"""What a career is: the columns that everything after `careers` reads, and the ones of the quarantine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Any

import pyarrow as pa


class Precision(IntEnum):
    """How exactly a date is known; the larger, the coarser."""

    DAY = 1
    MONTH = 2
    YEAR = 3


CAREERS = pa.schema(
    [
        pa.field("candidate_id", pa.string(), nullable=False),
        # One entry a role in each list, oldest first (start, then title, then precision).
        pa.field("titles", pa.list_(pa.string()), nullable=False),
        pa.field("starts", pa.list_(pa.date32()), nullable=False),
        pa.field("ends", pa.list_(pa.date32()), nullable=False),  # null: still held, or nobody recorded it
        pa.field("precisions", pa.list_(pa.int8()), nullable=False),  # of the starts
        pa.field("end_precisions", pa.list_(pa.int8()), nullable=False),  # null where there is no end
        pa.field("hireable", pa.float32()),  # the label column, if the experiment names one; null: unknown
    ]
)
"""One row a career, sorted by ``candidate_id``. A date of month or year precision is its first day."""

QUARANTINE = pa.schema(
    [
        pa.field("candidate_id", pa.string()),
        pa.field("level", pa.string(), nullable=False),  # "career": left out whole; "role": one role left out
        pa.field("reason", pa.string(), nullable=False),  # the code of a `careers.reasons.Reason`
        pa.field("detail", pa.string(), nullable=False),  # the value that broke the rule
        pa.field("num_rows", pa.int64(), nullable=False),  # source rows this entry accounts for
    ]
)
"""One row for everything left out, sorted by every column in the order given here."""


@dataclass(frozen=True)
class LoadedCareers:
    """What was read: careers, what was left out and why, and where it came from.

    Attributes:
        careers: `CAREERS`, sorted by ``candidate_id``, ids unique.
        quarantine: `QUARANTINE`.
        counts: ``rows_in``, ``rows_kept``, ``rows_quarantined``, ``rows_duplicate``
            (``rows_in`` is the sum of the other three) and ``careers_in``, ``careers``,
            ``careers_quarantined``; more may follow.
        source: What the manifest says of the source: ``kind``, ``table`` or ``path``; no secret.
        as_of: The day the data describes: the experiment's, or the latest date in the data.
    """

    careers: pa.Table
    quarantine: pa.Table
    counts: Mapping[str, int]
    source: Mapping[str, Any]
    as_of: date
