"""Sources with a row for each role: validate a block in a read task, and join the roles of each person."""

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
from trajtune.careers.parse.text import id_column, text_column
from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import ROLES, RawRoles, check_roles
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import RoleRows

_BLOCK = pa.schema([*ROLES, pa.field("id", pa.string()), pa.field("label", pa.string())])


def role_block(rows: pa.Table, layout: RoleRows, settings: DataSettings, today: date) -> pa.Table:
    """Checked roles of a block: `role_validation.ROLES` with ``id`` and ``label``, ``[R]``."""
    if "line" in rows.column_names:
        files = rows
        rows, raw = read_role_lines(text_column(rows, "line"), layout, settings.hireable_key)
        if layout.id_column is None:
            rows = rows.set_column(0, "id", text_column(files, "id"))
    else:
        raw = RawRoles(
            text_column(rows, "title"),
            text_column(rows, "start"),
            text_column(rows, "start" if layout.end_column == layout.start_column else "end"),
            text_column(rows, "current"),
            np.zeros(len(rows), np.int8),
            pa.nulls(len(rows), pa.string()),
        )
    checked = check_roles(raw, settings, today)
    ids, labels = id_column(rows), text_column(rows, "label")
    return checked.append_column("id", ids).append_column("label", labels).cast(_BLOCK)


def join_roles(blocks: Sequence[pa.Table], settings: DataSettings, layout: RoleRows = RoleRows()) -> Part:
    """All careers of all blocks as one part."""
    rows = pa.concat_tables([_BLOCK.empty_table(), *blocks])
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
    counts = {**part.counts, "labels_unreadable": num_unreadable}
    for name in ("rows_in", "rows_quarantined", "roles_in", "roles_quarantined"):
        counts[name] += num_without_id
    without_id_rows = quarantine_rows(
        without_id["id"].combine_chunks(),
        "role",
        np.full(num_without_id, Reason.NO_ID),
        pc.utf8_slice_codeunits(without_id["title"].combine_chunks().fill_null(""), 0, 200),
        np.ones(num_without_id, np.int64),
    )
    return Part(part.careers, pa.concat_tables([part.quarantine, without_id_rows]), counts, part.latest)


def _labels(owners: NDArray[np.int64], texts: pa.Array, num_careers: int) -> tuple[NDArray[np.float32], int]:
    """float32 ``[N]``: the label that a career's rows agree on, else NaN; and how many are unreadable."""
    values, unreadable = parse_flags(texts)
    yes = np.bincount(owners[values == 1], minlength=num_careers) > 0
    no = np.bincount(owners[values == 0], minlength=num_careers) > 0
    labels = np.where(yes & ~no, 1, np.where(no & ~yes, 0, np.nan)).astype(np.float32)
    return labels, int(unreadable.sum() + (yes & no).sum())
