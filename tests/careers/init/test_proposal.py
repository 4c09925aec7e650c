"""The choice of the column that identifies the person."""

import json

from tests.careers.init.databases import VALUE, Database, source, written
from tests.cli.running import Trajtune


def test_a_table_without_keys_is_identified_by_its_id_and_never_by_its_histories(
    trajtune: Trajtune, database: Database
) -> None:
    database("create table people (cv jsonb, id bigint)")
    job = {"title": VALUE, "from": "2010", "to": "2011"}
    database("insert into people values (%s, 1)", [(json.dumps([job]),)])
    assert source(written(trajtune("init", "--yes"))).layout.id_column == "id"
