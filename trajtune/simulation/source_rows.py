"""Simulated careers as rows like those in the database of a company."""

# N careers, R roles of all careers

import json
from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.faults import with_faults
from trajtune.simulation.generator import num_titles
from trajtune.simulation.simulate import SimulatedCareers, simulate_blocks
from trajtune.simulation.spellings import NUM_SPELLINGS, spelling_table

RowLayout = Literal["candidates", "roles"]

CANDIDATE_ROWS: Final = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("work_history", pa.string(), nullable=False),  # JSON, as in jsonb
        pa.field("hireable", pa.bool_(), nullable=False),
    ]
)
"""Schema with one row per career; roles are oldest first in ``work_history``."""

ROLE_ROWS: Final = pa.schema(
    [
        pa.field("candidate_id", pa.int64(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("start_date", pa.date32(), nullable=False),
        pa.field("end_date", pa.date32()),
        pa.field("is_current", pa.bool_(), nullable=False),
    ]
)
"""Schema with one row per role, oldest first within a career."""


def simulated_rows(
    num_careers: int, seed: int, settings: ProcessSettings, layout: RowLayout
) -> Iterator[pa.Table]:
    """Yield the rows of careers 1 to ``num_careers``, one block at a time, in bounded memory."""
    writer = _CandidateWriter(settings, seed) if layout == "candidates" else _RoleWriter(settings)
    for block in simulate_blocks(num_careers, seed, settings):
        yield writer.table(block)


class _RoleWriter:
    """Converts careers to `ROLE_ROWS`."""

    def __init__(self, settings: ProcessSettings) -> None:
        self._spellings = pa.array(spelling_table(settings), pa.string())
        self._num_titles = num_titles(settings)

    def table(self, careers: SimulatedCareers) -> pa.Table:
        ends = pa.array(careers.ends, pa.int32(), mask=careers.held).cast(pa.date32())
        columns = [
            np.repeat(careers.candidate_ids, np.diff(careers.offsets)),
            self._spellings.take(pa.array(spelling_index(careers, self._num_titles))),
            pa.array(careers.starts, pa.int32()).cast(pa.date32()),
            ends,
            careers.held,
        ]
        return pa.table([pa.array(column) for column in columns], schema=ROLE_ROWS)


class _CandidateWriter:
    """Converts careers to `CANDIDATE_ROWS`; the JSON is joined from parts that are quoted only once."""

    def __init__(self, settings: ProcessSettings, seed: int) -> None:
        self._broken, self._seed = settings.broken, seed
        quoted = [json.dumps(title, ensure_ascii=False) for title in spelling_table(settings)]
        self._spellings = pa.array(quoted, pa.string())
        self._num_titles = num_titles(settings)

    def table(self, careers: SimulatedCareers) -> pa.Table:
        first, last = careers.starts.min(), careers.starts.max()
        last = careers.ends.max(where=~careers.held, initial=last)
        days = np.datetime_as_string(np.arange(first, last + 1).astype("datetime64[D]"))
        quoted_days = pa.array([*(f'"{day}"' for day in days), "null"], pa.string())
        end_days = np.where(careers.held, len(days), careers.ends - first)
        roles = pc.binary_join_element_wise(
            '{"title": ',
            self._spellings.take(pa.array(spelling_index(careers, self._num_titles))),
            ', "start_date": ',
            quoted_days.take(pa.array(careers.starts - first)),
            ', "end_date": ',
            quoted_days.take(pa.array(end_days)),
            "}",
            "",
        )
        lists = pa.ListArray.from_arrays(pa.array(careers.offsets, pa.int32()), roles)
        history = pc.binary_join_element_wise("[", pc.binary_join(lists, ", "), "]", "")
        # A separate random stream, so that the careers are the same with and without faults.
        rng = np.random.default_rng([self._seed, int(careers.candidate_ids[0]), 1])
        history = with_faults(history, self._broken, rng)
        columns = [pa.array(careers.candidate_ids), history, pa.array(careers.hireable)]
        return pa.table(columns, schema=CANDIDATE_ROWS)


def spelling_index(careers: SimulatedCareers, titles: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the index of each role's title in `spellings.spelling_table`, ``[R]``."""
    language = np.repeat(careers.languages.astype(np.int64), np.diff(careers.offsets))
    return (language * titles + careers.titles) * NUM_SPELLINGS + careers.spellings
