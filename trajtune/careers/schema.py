"""The columns of careers, which all later stages read, and the columns of the quarantine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Any

import pyarrow as pa


class Precision(IntEnum):
    """The precision of a date; a larger number is coarser."""

    DAY = 1
    MONTH = 2
    YEAR = 3


CAREERS = pa.schema(
    [
        pa.field("candidate_id", pa.string(), nullable=False),
        # Each list has one entry per role, oldest first (start, then title, then precision).
        pa.field("titles", pa.list_(pa.string()), nullable=False),
        pa.field("starts", pa.list_(pa.date32()), nullable=False),
        pa.field("ends", pa.list_(pa.date32()), nullable=False),  # null: still held, or not recorded
        pa.field("precisions", pa.list_(pa.int8()), nullable=False),  # of the starts
        pa.field("end_precisions", pa.list_(pa.int8()), nullable=False),  # null where there is no end
        pa.field("hireable", pa.float32()),  # the label column, if the experiment names one; null: unknown
    ]
)
"""One row per career, sorted by ``candidate_id``. A date of month or year precision is its first day."""

QUARANTINE = pa.schema(
    [
        pa.field("candidate_id", pa.string()),
        pa.field(
            "level", pa.string(), nullable=False
        ),  # "career": the whole career is left out; "role": one role is
        pa.field("reason", pa.string(), nullable=False),  # the code of a `careers.reasons.Reason`
        pa.field("detail", pa.string(), nullable=False),  # the value that broke the rule
        pa.field("num_rows", pa.int64(), nullable=False),  # source rows this entry accounts for
    ]
)
"""One row per entry that is left out, sorted by all columns in this order."""


@dataclass(frozen=True)
class LoadedCareers:
    """The careers that were read, the rows that were left out, and the source.

    Attributes:
        careers: `CAREERS`, sorted by ``candidate_id``, ids unique.
        quarantine: `QUARANTINE`.
        counts: ``rows_in``, ``rows_kept``, ``rows_quarantined``, ``rows_duplicate``
            (``rows_in`` is the sum of the other three), and ``careers_in``, ``careers``,
            ``careers_quarantined``; further keys are possible.
        source: Description of the source for the manifest: ``kind``, ``table`` or ``path``; no secret.
        as_of: The day that the data describes: the experiment's, or the latest date in the data.
    """

    careers: pa.Table
    quarantine: pa.Table
    counts: Mapping[str, int]
    source: Mapping[str, Any]
    as_of: date
