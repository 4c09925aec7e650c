"""Opening the study of a run, and the errors without one."""

from pathlib import Path

import pytest

from trajtune.errors import RunError
from trajtune.searching.study.journal import JOURNAL
from trajtune.searching.study.open import read_study


def test_a_directory_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has no study.journal"):
        read_study(tmp_path)
    (tmp_path / JOURNAL).write_bytes(b"")
    with pytest.raises(RunError, match="contains no study yet"):
        read_study(tmp_path)
    (tmp_path / JOURNAL).write_bytes(b"junk\nmore junk\n")
    with pytest.raises(RunError, match="is damaged"):
        read_study(tmp_path)
