"""Three real data sets on to a snapshot, and back: everything counted again by a few lines of pandas."""

from pathlib import Path

import pandas as pd
import pytest

from trajtune.dataset.prepare import prepare
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment

pytestmark = pytest.mark.slow

SPLITS = ("train", "val", "test")


def last_known_day(start: str, end: str) -> pd.Timestamp:
    """The end, or the start of what has none, as late as its precision allows."""
    text = end or start
    return pd.Period(text, {4: "Y", 7: "M", 10: "D"}[len(text)]).end_time.normalize()


def is_held_too_long(begun: pd.Timestamp, end: pd.Timestamp | None, day: pd.Timestamp) -> bool:
    """Whether a career's last role would be held for more than seventy years on a day."""
    months = 12 * (day.year - begun.year) + day.month - begun.month - (day.day < begun.day)
    return (end is None or end > day) and months > 12 * 70


@pytest.mark.parametrize("name", ["uk_ministers", "us_diplomats", "austrian_mps_jobs"])
def test_real_careers_reach_the_snapshot_as_pandas_counts_them(
    name: str, real_data: Path, tmp_path: Path, ray_local: None
) -> None:
    path = real_data / f"{name}.csv"
    source = {"kind": "csv", "path": str(path)}
    settings = {"source": source, "split": {"by": "career"}, "storage": {"snapshots": str(tmp_path)}}
    experiment = validate(Experiment, settings, "test")
    snapshot = prepare(experiment)
    counts, described = snapshot.manifest["counts"], snapshot.manifest["splits"]

    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows["title"] = rows["title"].str.strip()
    assert rows["start_date"].str.fullmatch(r"(\d{4}(-\d\d(-\d\d)?)?)?").all()
    broken = (rows["start_date"] == "") | ((rows["end_date"] != "") & (rows["end_date"] < rows["start_date"]))
    good = rows[~broken]
    # Of roles with the same title and start, the one with the earliest end stays; no end is the latest.
    earliest = good.sort_values("end_date", key=lambda end: end.replace("", "9999"), kind="stable")
    roles = earliest.drop_duplicates(["candidate_id", "title", "start_date"]).sort_index()
    kept = roles[roles.groupby("candidate_id")["title"].transform("size") >= 2]
    eve = pd.Timestamp(snapshot.manifest["cutoffs"]["train"]) - pd.Timedelta(days=1)
    begun = kept["start_date"].map(lambda start: last_known_day(start, ""))
    latest = kept.assign(begun=begun).sort_values(["begun", "title"]).groupby("candidate_id").tail(1)
    endless = {
        role.candidate_id
        for role in latest.itertuples()
        if not role.end_date and is_held_too_long(role.begun, None, eve)
    }
    everybody, kept = kept, kept[~kept["candidate_id"].isin(endless)]
    people = set(kept["candidate_id"])
    quarantine = pd.read_parquet(snapshot.path / "quarantine.parquet")
    assert counts["rows_in"] == len(rows)
    assert counts["careers_in"] == rows["candidate_id"].nunique()
    assert counts["rows_duplicate"] == len(good) - len(roles)
    assert counts["rows_kept"] == counts["roles"] == len(kept)
    assert (
        counts["rows_quarantined"]
        == quarantine["num_rows"].sum()
        == len(rows) - len(good) + len(roles) - len(kept)
    )
    assert counts["careers"] == len(people)
    left_out = quarantine[quarantine["level"] == "career"]["candidate_id"]
    assert set(left_out) == set(rows["candidate_id"]) - people
    assert counts["careers_quarantined"] == len(left_out) == rows["candidate_id"].nunique() - len(people)

    known = everybody.apply(lambda role: last_known_day(role["start_date"], role["end_date"]), axis=1)
    of_everybody = known.groupby(everybody["candidate_id"]).max()
    ordered = of_everybody.sort_values()
    dates = of_everybody[of_everybody.index.isin(people)]
    cutoffs = [ordered.iloc[int(share * len(ordered))] for share in (0.7, 0.85)]
    if cutoffs[0] == cutoffs[1]:
        cutoffs[1] = ordered[ordered > cutoffs[0]].iloc[0]
    assert [str(cutoff.date()) for cutoff in cutoffs] == list(snapshot.manifest["cutoffs"].values())
    expected = {
        "train": dates.index[dates < cutoffs[0]],
        "val": dates.index[(dates >= cutoffs[0]) & (dates < cutoffs[1])],
        "test": dates.index[dates >= cutoffs[1]],
    }
    seen = set(kept["title"][kept["candidate_id"].isin(expected["train"])])
    for split in SPLITS:
        written = pd.read_parquet(snapshot.path / split / "careers.parquet").set_index("candidate_id")
        theirs = kept[kept["candidate_id"].isin(expected[split])]
        assert sorted(written.index) == sorted(expected[split])
        assert described[split]["careers"] == len(expected[split])
        assert described[split]["roles"] == written["titles"].map(len).sum() == len(theirs)
        titles = theirs.groupby("candidate_id")["title"].apply(sorted)
        assert written["titles"].map(sorted).to_dict() == titles.to_dict()
        assert pd.to_datetime(written["split_date"]).to_dict() == dates[expected[split]].to_dict()
        # Spellings that count as the same can only make fewer titles unseen.
        unseen = (~theirs["title"].isin(seen)).mean()
        assert unseen - 0.02 < described[split]["unseen_titles"] < unseen + 1e-4


@pytest.mark.parametrize("name", ["uk_ministers", "us_diplomats", "austrian_mps_jobs"])
def test_moves_of_real_careers_are_split_as_plain_loops_split_them(
    name: str, real_data: Path, tmp_path: Path, ray_local: None
) -> None:
    path = real_data / f"{name}.csv"
    settings = {"source": {"kind": "csv", "path": str(path)}, "storage": {"snapshots": str(tmp_path)}}
    snapshot = prepare(validate(Experiment, settings, "test"))
    as_of = pd.Timestamp(snapshot.manifest["as_of"])
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    careers: dict[str, dict[tuple[pd.Timestamp, str], pd.Timestamp | None]] = {}
    for row in rows.itertuples():
        if row.start_date and (not row.end_date or row.end_date >= row.start_date):
            begun = min(last_known_day(row.start_date, ""), as_of)
            end = min(last_known_day("", row.end_date), as_of) if row.end_date else None
            roles = careers.setdefault(row.candidate_id, {})
            ends = [day for day in (end, roles.get((begun, row.title.strip()))) if day is not None]
            roles[begun, row.title.strip()] = min(ends, default=None)

    def known_on(day: pd.Timestamp) -> dict[str, list[tuple[pd.Timestamp, str]]]:
        """The roles of each person, but of those whose last role would be held for too long."""
        begun = {
            person: sorted(role for role in roles if role[0] <= day) for person, roles in careers.items()
        }
        return {
            person: roles
            for person, roles in begun.items()
            if roles and not is_held_too_long(roles[-1][0], careers[person][roles[-1]], day)
        }

    moves = sorted(begun for roles in known_on(as_of).values() for begun, _ in roles[1:])
    cutoffs = [moves[int(share * len(moves))] for share in (0.7, 0.85)]
    assert [str(cutoff.date()) for cutoff in cutoffs] == list(snapshot.manifest["cutoffs"].values())

    day = pd.Timedelta(days=1)
    for split, since, until in (
        ("train", pd.Timestamp.min, cutoffs[0] - day),
        ("val", cutoffs[0], cutoffs[1] - day),
        ("test", cutoffs[1], as_of),
    ):
        expected = {
            person: sorted(title for _, title in roles)
            for person, roles in known_on(until).items()
            if len(roles) >= 2 and max(begun for begun, _ in roles) >= since
        }
        written = pd.read_parquet(snapshot.path / split / "careers.parquet").set_index("candidate_id")
        assert written["titles"].map(sorted).to_dict() == expected
