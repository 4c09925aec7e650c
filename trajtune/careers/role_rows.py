"""Sources with one row per role: validates a block in a read task, and joins the roles of each person."""

# N careers, R roles of all careers

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.careers.assembly import Part, assemble, quarantine_rows
from trajtune.careers.event_log import ends_at_next_start
from trajtune.careers.json_history import read_role_lines
from trajtune.careers.parse.flags import parse_flags
from trajtune.careers.parse.text import id_column, is_not_text, text_column
from trajtune.careers.parse.timezone import in_timezone
from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import LONGEST_DETAIL, ROLES, RawRoles, check_roles
from trajtune.careers.sources.read_file import FAULT, SWALLOWED
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import RoleRows

_BLOCK = pa.schema(
    [
        *ROLES,
        pa.field("id", pa.string()),
        pa.field("label", pa.string()),
        pa.field("swallowed", pa.int32()),  # line breaks that a missing quote may have swallowed
    ]
)


def role_block(rows: pa.Table, layout: RoleRows, settings: DataSettings, today: date) -> pa.Table:
    """Return the checked roles of a block: `role_validation.ROLES` with ``id`` and ``label``, ``[R]``."""
    if "line" in rows.column_names:
        files = rows
        rows, raw = read_role_lines(text_column(rows, "line"), layout, settings.hireable_key)
        if layout.id_column is None:
            rows = rows.set_column(0, "id", text_column(files, "id"))
    else:
        rows = in_timezone(rows, settings.timezone)
        raw = _raw_roles(rows, layout)
    checked = check_roles(raw, settings, today)
    ids, labels = id_column(rows), text_column(rows, "label")
    swallowed = rows[SWALLOWED] if SWALLOWED in rows.column_names else pa.array(np.zeros(len(rows), np.int32))
    columns = [*checked.columns, ids, labels, swallowed]
    return pa.table(columns, schema=_BLOCK)


def _raw_roles(rows: pa.Table, layout: RoleRows) -> RawRoles:
    titles = text_column(rows, "title")
    not_text = is_not_text(rows["title"].combine_chunks())
    row_faults = text_column(rows, FAULT)
    is_faulty = row_faults.is_valid().to_numpy(zero_copy_only=False)
    faults = np.where(is_faulty, Reason.UNREADABLE_ROW, np.where(not_text, Reason.TITLE_NOT_TEXT, 0))
    return RawRoles(
        titles,
        text_column(rows, "start"),
        text_column(rows, "start" if layout.end_column == layout.start_column else "end"),
        text_column(rows, "current"),
        faults.astype(np.int8),
        pc.coalesce(row_faults, pc.if_else(pa.array(not_text), titles, pa.scalar(None, pa.string()))),
    )


def join_roles(blocks: Sequence[pa.Table], settings: DataSettings, layout: RoleRows = RoleRows()) -> Part:
    """Join the roles of all blocks to careers, as one part."""
    rows = pa.concat_tables([_BLOCK.empty_table(), *blocks])
    num_swallowed = int(pc.sum(rows["swallowed"]).as_py() or 0)
    has_id = rows["id"].is_valid()
    without_id = rows.filter(pc.invert(has_id))
    rows = rows.filter(has_id)
    coded = rows["id"].combine_chunks().dictionary_encode()
    owners = coded.indices.to_numpy().astype(np.int64)
    labels, num_unreadable = _labels(owners, rows["label"].combine_chunks(), len(coded.dictionary))
    roles = rows.select(ROLES.names)
    if layout.end == "next_start":
        roles = ends_at_next_start(owners, roles)
    part = assemble(
        coded.dictionary,
        owners,
        roles,
        pa.nulls(len(coded.dictionary), pa.string()),
        labels,
        "role",
        settings.merge_repeats,
    )
    num_without_id = len(without_id)
    counts = {**part.counts, "labels_unreadable": num_unreadable, "histories_absent": 0}
    counts["lines_swallowed"] = num_swallowed
    for name in ("rows_in", "rows_quarantined", "roles_in", "roles_quarantined"):
        counts[name] += num_without_id
    # In a line that is not JSON, the missing id is not the fault.
    faults = without_id["fault"].to_numpy()
    is_no_row = np.isin(faults, (Reason.UNREADABLE_ROW, Reason.NOT_A_ROLE))
    titles = pc.utf8_slice_codeunits(without_id["title"].combine_chunks().fill_null(""), 0, LONGEST_DETAIL)
    without_id_rows = quarantine_rows(
        without_id["id"].combine_chunks(),
        "role",
        np.where(is_no_row, faults, Reason.NO_ID),
        pc.if_else(pa.array(is_no_row), without_id["detail"].combine_chunks().fill_null(""), titles),
        np.ones(num_without_id, np.int64),
    )
    return Part(part.careers, pa.concat_tables([part.quarantine, without_id_rows]), counts, part.tallies)


def _labels(owners: NDArray[np.int64], texts: pa.Array, num_careers: int) -> tuple[NDArray[np.float32], int]:
    """Return each career's label, float32 ``[N]``, and the number of unreadable labels.

    A label is NaN if it is unknown, or if the rows of the career do not agree on it.
    """
    values, unreadable = parse_flags(texts)
    yes = np.bincount(owners[values == 1], minlength=num_careers) > 0
    no = np.bincount(owners[values == 0], minlength=num_careers) > 0
    labels = np.where(yes & ~no, 1, np.where(no & ~yes, 0, np.nan)).astype(np.float32)
    return labels, int(unreadable.sum() + (yes & no).sum())
