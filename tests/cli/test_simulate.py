"""`trajtune simulate`: a file of an unknown kind is one line."""

from pathlib import Path

from tests.cli.running import Trajtune, assert_one_line


def test_simulating_into_a_file_of_an_unknown_kind(trajtune: Trajtune, tmp_path: Path) -> None:
    assert_one_line(
        trajtune("simulate", "--careers", "10", "--to", "careers.xlsx"), "SourceError", ".parquet"
    )
    assert list(tmp_path.iterdir()) == []
