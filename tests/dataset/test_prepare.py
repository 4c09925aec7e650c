"""Titles of every script reach the snapshot, and it says what the service sees of them."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.dataset.test_split import career, table
from tests.support.careers import loaded
from trajtune.dataset.prepare import prepare, snapshot_of
from trajtune.dataset.profiling.summary import summary
from trajtune.dataset.snapshot import Snapshot, open_snapshot
from trajtune.errors import ExperimentError, SourceError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment

CHINESE = ("工程师", "架构师", "护士", "经理")
JAVA = ("Java开发工程师", "高级Java架构师", "Java实习生")


def careers_of(titles: Sequence[str], num: int) -> list[dict[str, Any]]:
    """Careers of three roles over twenty years, so that each split has some; titles follow one another."""
    made = []
    for number in range(num):
        years = [2000 + number % 18 + i for i in range(4)]
        roles = [
            (titles[(number + i) % len(titles)], f"{years[i]}-01-01", f"{years[i + 1]}-01-01")
            for i in range(3)
        ]
        made.append(career(*roles, name=f"c{number:04}"))
    return made


def prepared(tmp_path: Path, careers: list[dict[str, Any]], **vocabulary: Any) -> Snapshot:
    settings = {"vocabulary": vocabulary, "storage": {"snapshots": str(tmp_path)}}
    return snapshot_of(loaded(table(*careers)), validate(Experiment, settings, "test"))


def test_titles_without_latin_letters_become_a_vocabulary_and_the_service_is_warned_of(
    tmp_path: Path,
) -> None:
    snapshot = prepared(tmp_path, careers_of(CHINESE, 90))
    assert set(snapshot.encoder().idx_to_title.values()) == {"<UNK>", *CHINESE}
    counts = snapshot.manifest["titles"]["as_served"]["train"]
    assert counts["missing_roles"] == counts["roles"] > 0
    assert counts["missing_targets"] == counts["targets"] > 0
    assert counts["another_roles"] == counts["another_targets"] == 0
    (warning,) = [text for text in snapshot.manifest["warnings"] if "vocabulary.identity" in text]
    assert (
        f"of train's {counts['roles']} roles it sees 0 as another title and {counts['roles']} not at"
        in warning
    )
    assert f"WARNING     {warning}" in summary(snapshot)
    assert snapshot.refit.encoder().vocab_size == 5


def test_titles_that_share_latin_words_are_different_titles(tmp_path: Path) -> None:
    snapshot = prepared(tmp_path, careers_of(JAVA, 91))
    encoder = snapshot.encoder()
    assert set(encoder.idx_to_title.values()) == {"<UNK>", *JAVA}
    commonest = encoder.decode(1)
    for name in ("train", "val"):
        titles = snapshot.read(name).titles  # type: ignore[arg-type]
        others = [title for title in titles.flatten().to_pylist() if title != commonest]
        targets = [career[-1] for career in titles.to_pylist() if career[-1] != commonest]
        counts = snapshot.manifest["titles"]["as_served"][name]
        assert (counts["another_roles"], counts["another_targets"]) == (len(others), len(targets))
        assert (counts["missing_roles"], counts["missing_targets"]) == (0, 0)
    assert "  service     sees train: " in summary(snapshot)
    report = (snapshot.path / "data_report.html").read_text("utf-8")
    row = re.search(r'<tr><th scope="row">val</th>((?:<td[^>]*>[^<]*</td>){6})</tr>', report)
    assert row is not None
    shown = [int(text.replace(",", "")) for text in re.findall(r">([\d,]+)(?: \([\d.]+ %\))?</td>", row[1])]
    assert shown == [
        counts[key]
        for key in (
            *("roles", "another_roles", "missing_roles", "targets", "another_targets", "missing_targets"),
        )
    ]


def test_one_role_in_a_hundred_is_worth_a_warning_and_fewer_are_not(tmp_path: Path) -> None:
    def warned(num: int) -> bool:
        careers = careers_of(("Nurse", "Surgeon"), 400)
        for number in range(num):  # all in train: they start with the first year
            careers[number * 18]["titles"][0] = "护士"
        manifest = prepared(tmp_path / str(num), careers).manifest
        roles, missing = (manifest["titles"]["as_served"]["train"][key] for key in ("roles", "missing_roles"))
        assert missing == num
        found = any("vocabulary.identity" in text for text in manifest["warnings"])
        assert found == (missing / roles >= 0.01)
        return found

    assert [warned(num) for num in (0, 2, 15)] == [False, False, True]


def test_the_services_rule_joins_what_it_cannot_tell_apart_and_needs_no_warning(tmp_path: Path) -> None:
    snapshot = prepared(tmp_path, careers_of(("C", "C++", "Nurse"), 90), identity="service")
    assert snapshot.encoder().vocab_size == 3
    assert snapshot.encoder().encode("C#") == snapshot.encoder().encode("C") != 0
    assert snapshot.manifest["titles"]["identity"] == "service"
    assert not [text for text in snapshot.manifest["warnings"] if "vocabulary.identity" in text]
    assert "  service  " not in summary(snapshot)


def test_titles_that_the_service_cannot_read_are_counted_by_its_rule_too(tmp_path: Path) -> None:
    snapshot = prepared(tmp_path, careers_of(("C", "-", "工程师", "Nurse"), 90), identity="service")
    counts, titles = snapshot.manifest["titles"]["as_served"]["val"], snapshot.read("val").titles.to_pylist()
    assert counts["missing_roles"] == sum(career.count("工程师") for career in titles) > 0
    assert counts["missing_targets"] == sum(career[-1] == "工程师" for career in titles) > 0
    assert counts["another_roles"] == counts["another_targets"] == 0
    (warning,) = [text for text in snapshot.manifest["warnings"] if "not at all" in text]
    assert warning.endswith("If you do not serve through it, set `vocabulary.identity: unicode`.")


def test_a_snapshot_of_before_this_record_is_read_with_the_services_rule(tmp_path: Path) -> None:
    snapshot = prepared(tmp_path, careers_of(("C", "Nurse"), 90))
    old = Snapshot(
        snapshot.path, {k: v for k, v in snapshot.manifest.items() if k != "titles"}, snapshot.ledger
    )
    assert old.encoder().encode("C++") == old.encoder().encode("C") != 0
    assert snapshot.encoder().encode("C++") == 0


@pytest.mark.parametrize(
    ("titles", "vocabulary", "message"),
    [
        (CHINESE, {"identity": "service"}, r"100%\).*; set `vocabulary.identity: unicode`"),
        (("-", "…", "👩\u200d⚕\ufe0f"), {}, r"100%\)\. Check that the title column or key"),
        (
            [f"Title {number}" for number in range(270)],
            {"min_count": 9},
            r"lower `vocabulary.min_count` \(9\)",
        ),
        (
            [f"Title {number}" for number in range(90)],
            {"max_titles": 2},
            r"raise `vocabulary.max_titles` \(2\)",
        ),
    ],
)
def test_a_vocabulary_of_next_to_nothing_stops_in_one_line(
    tmp_path: Path, titles: Sequence[str], vocabulary: dict[str, Any], message: str
) -> None:
    with pytest.raises(
        SourceError, match=rf"The vocabulary must hold most titles of train.*{message}"
    ) as caught:
        prepared(tmp_path, careers_of(titles, 90), **vocabulary)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_titles_that_nobody_shares_stop_in_one_line(tmp_path: Path) -> None:
    careers = careers_of([f"Free text {number}" for number in range(600)], 200)
    for number, one in enumerate(careers):
        one["titles"] = [f"{title} of {number}" for title in one["titles"]]
    with pytest.raises(SourceError, match=r"must hold some next titles of val and test, but (\d+) of \1 are"):
        prepared(tmp_path, careers)


def test_synonyms_join_titles_and_are_counted(tmp_path: Path) -> None:
    (tmp_path / "synonyms.json").write_text(json.dumps({"架构师": "Architect", "护士": "Nurse"}), "utf-8")
    careers = careers_of((*CHINESE[:3], "Nurse"), 90)
    snapshot = prepared(tmp_path / "made", careers, synonyms=str(tmp_path / "synonyms.json"))
    assert sorted(snapshot.encoder().idx_to_title.values()) == ["<UNK>", "Architect", "Nurse", "工程师"]
    assert snapshot.manifest["titles"]["synonyms"] == 2
    assert snapshot.manifest["splits"]["train"]["unknown_titles"] == 0
    again = open_snapshot(snapshot.path)
    assert again.encoder().encode("护士") == again.encoder().encode("nurse") != 0


def test_a_missing_file_of_synonyms_is_an_error_before_anything_is_read(tmp_path: Path) -> None:
    settings = {
        "source": {"kind": "csv", "path": str(tmp_path / "none.csv")},
        "vocabulary": {"synonyms": str(tmp_path / "none.json")},
        "storage": {"snapshots": str(tmp_path)},
    }
    with pytest.raises(ExperimentError, match=r"Cannot read vocabulary\.synonyms"):
        prepare(validate(Experiment, settings, "test"))


def test_the_same_titles_give_the_same_bytes(tmp_path: Path) -> None:
    careers = careers_of((*JAVA, *CHINESE, "C", "C++", "c", "Sr. C"), 120)
    one, other = (prepared(tmp_path / name, careers) for name in ("a", "b"))
    assert one.id == other.id
    assert (one.path / "vocabulary.json").read_bytes() == (other.path / "vocabulary.json").read_bytes()
