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

    known = kept.apply(lambda role: last_known_day(role["start_date"], role["end_date"]), axis=1)
    dates = known.groupby(kept["candidate_id"]).max()
    ordered = dates.sort_values()
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
    careers: dict[str, set[tuple[pd.Timestamp, str]]] = {}
    for row in rows.itertuples():
        if row.start_date and (not row.end_date or row.end_date >= row.start_date):
            begun = min(last_known_day(row.start_date, ""), as_of)
            careers.setdefault(row.candidate_id, set()).add((begun, row.title.strip()))
    moves = sorted(begun for roles in careers.values() for begun, _ in sorted(roles)[1:])
    cutoffs = [moves[int(share * len(moves))] for share in (0.7, 0.85)]
    assert [str(cutoff.date()) for cutoff in cutoffs] == list(snapshot.manifest["cutoffs"].values())

    day = pd.Timedelta(days=1)
    for split, since, until in (
        ("train", pd.Timestamp.min, cutoffs[0] - day),
        ("val", cutoffs[0], cutoffs[1] - day),
        ("test", cutoffs[1], as_of),
    ):
        known = {person: [role for role in roles if role[0] <= until] for person, roles in careers.items()}
        expected = {
            person: sorted(title for _, title in roles)
            for person, roles in known.items()
            if len(roles) >= 2 and max(begun for begun, _ in roles) >= since
        }
        written = pd.read_parquet(snapshot.path / split / "careers.parquet").set_index("candidate_id")
        assert written["titles"].map(sorted).to_dict() == expected
