"""Careers that no split can use are in quarantine."""

from datetime import date
from pathlib import Path

from tests.dataset.test_leakage import LENIENT, load
from trajtune.dataset.implausible import without_endless_roles
from trajtune.dataset.prepare import write_content
from trajtune.experiment.settings import Experiment, SplitSettings, StorageSettings

ENDLESS = [{"title": "A", "start_date": "1900-01-01"}, {"title": "B", "start_date": "1910-01-01"}]
ENDED = [ENDLESS[0], {**ENDLESS[1], "end_date": "1950-01-01"}]


def test_a_role_held_for_more_than_seventy_years_is_in_quarantine_and_counts_balance() -> None:
    loaded = without_endless_roles(load([("x", ENDLESS), ("y", ENDED)]), date(2015, 1, 1), False)
    assert loaded.careers["candidate_id"].to_pylist() == ["y"]
    assert loaded.quarantine.to_pylist() == [
        {
            "candidate_id": "x",
            "level": "career",
            "reason": "held_too_long",
            "detail": "last role without an end since 1910-01-01",
            "num_rows": 1,
        }
    ]
    counts = loaded.counts
    assert counts["rows_in"] == counts["rows_kept"] + counts["rows_quarantined"] == 2
    assert counts["careers_in"] == counts["careers"] + counts["careers_quarantined"] == 2
    assert counts["roles_in"] == counts["roles"] + counts["roles_quarantined"] == 4


def test_it_is_in_the_snapshots_quarantine(tmp_path: Path) -> None:
    days = ("2000-06-01", "2010-01-01", "2015-01-01")
    rows = [
        (day, [{"title": title, "start_date": day, "end_date": None} for title in ("A", "B")]) for day in days
    ]
    split = SplitSettings(by="career", train_cutoff=date(2010, 1, 1), val_cutoff=date(2015, 1, 1))
    experiment = Experiment(data=LENIENT, split=split, storage=StorageSettings(snapshots=str(tmp_path)))
    snapshot, _ = write_content(load([*rows, ("x", ENDLESS)]), experiment)
    assert snapshot.manifest["quarantine"] == {"held_too_long": 1}
    assert snapshot.manifest["counts"]["careers"] == 3
