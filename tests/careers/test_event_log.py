"""Event logs: a role ends when the person's next one starts."""

from datetime import date

import pyarrow as pa
import pytest

from trajtune.careers.career_rows import career_part, join_parts
from trajtune.careers.role_rows import join_roles, role_block
from trajtune.errors import ExperimentError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import DataSettings, Experiment
from trajtune.experiment.sources import JsonHistory, RoleRows

TODAY = date(2025, 1, 1)


def test_each_role_ends_with_the_next_later_start_in_its_precision() -> None:
    rows = pa.table(
        {
            "id": ["a", "a", "a", "a", "b", "b", "b"],
            "title": ["Third", "First", "Second", "Also second", "One", "Two", "Future"],
            "start": ["2015", "2010-01-15", "2012-03", "2012-03", "2011-01-01", "2011-05-01", "2031-01-01"],
        }
    )
    layout = RoleRows(end="next_start")
    part = join_roles([role_block(rows, layout, DataSettings(), TODAY)], DataSettings(), layout)
    first, second = part.careers.sort_by("candidate_id").to_pylist()
    assert first["titles"] == ["First", "Also second", "Second", "Third"]
    assert first["ends"] == [date(2012, 3, 1), date(2015, 1, 1), date(2015, 1, 1), None]
    assert first["end_precisions"] == [2, 3, 3, None]
    assert second["ends"] == [date(2011, 5, 1), None]


def test_histories_in_json_give_the_same_ends() -> None:
    history = '[{"title": "B", "start_date": "2012-01-01"}, {"title": "A", "start_date": "2010-01-01"}]'
    layout = JsonHistory(end="next_start")
    rows = pa.table({"id": ["a"], "history": [history]})
    (career,) = join_parts([career_part(rows, layout, DataSettings(), TODAY)]).careers.to_pylist()
    assert career["titles"] == ["A", "B"]
    assert career["ends"] == [date(2012, 1, 1), None]


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"layout": "roles", "end_column": None}, "needs `end: next_start`"),
        ({"layout": "roles", "end": "next_start", "end_column": "until"}, "takes no recorded end"),
        ({"layout": "json", "end_key": None}, "needs `end: next_start`"),
    ],
)
def test_a_named_end_column_that_does_not_exist_is_refused(layout: dict[str, object], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        validate(Experiment, {"source": {"kind": "csv", "path": "x.csv", "layout": layout}}, "test")


def test_an_event_log_need_not_name_the_end() -> None:
    assert RoleRows.model_validate({"end": "next_start"}).end_column is None
    assert RoleRows.model_validate({"end": "next_start", "end_column": None}).end_column is None
    written = RoleRows(end="next_start").model_dump(mode="json")
    assert RoleRows.model_validate(written) == RoleRows(end="next_start")
