"""Load careers as data frames, split them in time, and list their examples."""

import json
import tempfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from trajtune.careers.read import load_career_sequences as read_careers
from trajtune.careers.schema import CAREERS, LoadedCareers
from trajtune.dataset import sequences
from trajtune.dataset.encode import SplitData, encode_split
from trajtune.dataset.split import SPLIT_DATE, SplitBy, split_dates
from trajtune.dataset.split import temporal_split as split_careers
from trajtune.dataset.titles import UNKNOWN, UNKNOWN_TITLE, TitleEncoder
from trajtune.errors import SourceError, SplitError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import FileSource, JsonHistory, PostgresSource, RoleRows

if TYPE_CHECKING:
    import pandas as pd

KNOWN_UNTIL: Final = "known_until"
"""Column with the last day whose facts are in a frame; later facts are not in its rows."""

_ID_COLUMNS: Final = ("candidate_id", "id", "person_id", "user_id")

Day = date | str

Example = tuple[tuple[str, ...], str, float | None, str]


def load_career_sequences(
    db_url: str, table: str = "candidates", *, id_column: str = "id", history_column: str = "work_history"
) -> "pd.DataFrame":
    """Read careers from a PostgreSQL table with one row per person.

    Args:
        db_url: URL of the database; it is not stored.
        table: Table or view, as ``name`` or ``schema.name``.
        id_column: Column with the person's id.
        history_column: Column with the person's roles, a JSON list.

    Returns:
        One row per career, sorted by ``candidate_id``. ``titles``, ``starts``, ``ends``, ``precisions`` and
        ``end_precisions`` are lists with one entry per role, oldest first. ``known_until`` is the day that
        the data describes.

    Raises:
        SourceError: If there is nothing to read, or too many rows cannot be used.

    Examples:
        >>> careers = load_career_sequences(os.environ["POSTGRES_URL"])  # doctest: +SKIP
    """
    layout = JsonHistory(id_column=id_column, history_column=history_column)
    loaded = read_careers(PostgresSource(table=table, layout=layout), DataSettings(), url=db_url)
    return _frame(loaded.careers, loaded.as_of)


def temporal_split(
    df: "pd.DataFrame", train_cutoff: Day, val_cutoff: Day, *, by: SplitBy = "career"
) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]":
    """Split careers in time, so that no split contains facts after its last day.

    Args:
        df: The result of `load_career_sequences`; or one row per role with the columns ``candidate_id``,
            ``title``, ``start_date``, ``end_date``; or one row per person with ``id`` and ``work_history``.
        train_cutoff: First day after train, a date or YYYY-MM-DD.
        val_cutoff: First day after val.
        by: ``career`` is the specification's rule: each career is in the split of its latest date.
            ``move`` is the default of searches: each move is in the split in which its next role began.

    Returns:
        Train, val and test, each with the columns of `load_career_sequences` and ``split_date``.

    Raises:
        SourceError: If the frame has none of these forms.
        SplitError: If the cutoffs are not dates in ascending order, or a split would be empty.

    Examples:
        >>> train, val, test = temporal_split(careers, "2021-01-01", "2023-01-01")  # doctest: +SKIP
    """
    careers, as_of = _careers_of(df)
    splits = split_careers(careers, _day(train_cutoff), _day(val_cutoff), by, as_of=as_of)
    return (
        _frame(splits.train, _day_before(splits.train_cutoff)),
        _frame(splits.val, _day_before(splits.val_cutoff)),
        _frame(splits.test, as_of),
    )


def generate_sequences(
    df: "pd.DataFrame", examples: Literal["last", "every_transition"] = "last"
) -> list[Example]:
    """List the examples of a split: the titles so far, the next title, its tenure, and the person.

    Args:
        df: A split of `temporal_split`, or any frame that it accepts.
        examples: ``last``: one example per career. ``every_transition``: each prefix and its next title.

    Returns:
        ``(input_titles, next_title, tenure_months, candidate_id)`` of each example; ``tenure_months`` is None
        if it is unknown.

    Examples:
        >>> generate_sequences(train)[0]  # doctest: +SKIP
        (('Nurse', 'Senior Nurse'), 'Head Nurse', 31.0, 'p17')
    """
    data = encoded(df, TitleEncoder({}, {UNKNOWN: UNKNOWN_TITLE}))
    return [(*example,) for example in sequences.generate_sequences(data, examples)]


def encoded(df: "pd.DataFrame", encoder: TitleEncoder) -> SplitData:
    """Encode the careers of a frame that have at least two roles, for models."""
    careers, known_until = _careers_of(df)
    careers = careers.filter(pa.compute.greater_equal(pa.compute.list_value_length(careers["titles"]), 2))
    dates = df[SPLIT_DATE] if SPLIT_DATE in df and len(df) == len(careers) else None
    column = pa.array(split_dates(careers) if dates is None else dates, pa.date32())
    return encode_split(
        careers.append_column(SPLIT_DATE, column), encoder, DataSettings(), observed=known_until
    )


def _frame(careers: pa.Table, known_until: date) -> "pd.DataFrame":
    frame: pd.DataFrame = careers.to_pandas()
    frame[KNOWN_UNTIL] = known_until
    return frame


def _careers_of(df: "pd.DataFrame") -> tuple[pa.Table, date]:
    """Return the careers of a frame in any form, and the last day of its facts."""
    if {*CAREERS.names, KNOWN_UNTIL} <= {*df.columns}:
        table = pa.Table.from_pandas(df[CAREERS.names], schema=CAREERS, preserve_index=False)
        return table, max(df[KNOWN_UNTIL], default=date.max)
    loaded = _parsed(df)
    return loaded.careers, loaded.as_of


def _parsed(df: "pd.DataFrame") -> LoadedCareers:
    """Read a frame of raw rows with the same code as rows in a file."""
    id_column = next((name for name in _ID_COLUMNS if name in df), None)
    layout: RoleRows | JsonHistory
    if id_column and {"title", "start_date"} <= {*df.columns}:
        layout = RoleRows(id_column=id_column)
    elif id_column and "work_history" in df:
        df = df.assign(work_history=[_json_text(history) for history in df["work_history"]])
        layout = JsonHistory(id_column=id_column)
    else:
        raise SourceError(
            "A frame of careers has candidate_id, title, start_date and end_date (one row per role), or id "
            f"and work_history (one row per person), but this one has {', '.join(map(str, df.columns))}. "
            "Rename its columns."
        )
    if "end_date" not in df and isinstance(layout, RoleRows):
        df = df.assign(end_date=None)
    with tempfile.TemporaryDirectory(prefix="trajtune-") as folder:
        path = Path(folder) / "frame.parquet"
        pq.write_table(pa.Table.from_pandas(df, preserve_index=False), path)
        return read_careers(FileSource(kind="parquet", path=str(path), layout=layout), DataSettings())


def _json_text(history: Any) -> Any:
    if history is None or isinstance(history, str):
        return history
    is_list = isinstance(history, Iterable) and not isinstance(history, dict)
    return json.dumps(list(history) if is_list else history, default=str)


def _day(value: Day) -> date:
    try:
        return (
            date.fromisoformat(value) if isinstance(value, str) else date(value.year, value.month, value.day)
        )
    except (ValueError, AttributeError) as error:
        raise SplitError(
            f"A cutoff must be a date, but got {value!r}. Write it as YYYY-MM-DD, for example 2021-01-01."
        ) from error


def _day_before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)
