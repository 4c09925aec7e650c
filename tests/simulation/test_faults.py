"""Faults in simulated careers: their number matches the setting, and the reader handles all of them."""

import numpy as np
import pytest

from trajtune.careers.read import load_career_sequences
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import FileSource, JsonHistory, ProcessSettings
from trajtune.simulation.faults import FAULTS
from trajtune.simulation.source_rows import simulated_rows
from trajtune.simulation.write_careers import write_simulated

pytestmark = pytest.mark.slow

SMALL = ProcessSettings(num_families=3, num_specialisations=3)


def test_the_share_of_faults_matches_the_setting_and_other_careers_stay_the_same():
    settings = SMALL.model_copy(update={"broken": 0.2})
    intact, faulty = (
        next(simulated_rows(2_000, 0, some, "candidates"))["work_history"].to_pylist()
        for some in (SMALL, settings)
    )
    broken = [a != b for a, b in zip(intact, faulty, strict=True)]
    assert np.mean(broken) == pytest.approx(0.2, abs=0.04)


def test_the_reader_quarantines_or_fixes_every_fault(tmp_path, ray_local):
    settings = SMALL.model_copy(update={"broken": 0.5})
    path = tmp_path / "careers.jsonl"
    write_simulated(1_000, 0, str(path), settings)
    source = FileSource(kind="jsonl", path=str(path), layout=JsonHistory())
    loaded = load_career_sequences(source, DataSettings(max_quarantine_fraction=1))
    reasons = set(loaded.quarantine["reason"].to_pylist())
    assert {
        "no_title",
        "title_not_text",
        "no_start",
        "unreadable_start",
        "unreadable_end",
        "end_before_start",
        "start_in_future",
        "not_a_role",
        "too_few_roles",
    } <= reasons
    assert len(FAULTS) == 11  # a duplicate role is dropped without a reason
