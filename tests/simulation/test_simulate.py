"""Simulated careers: the same for a seed, as the process says, and readable whatever is written."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

import trajtune.simulation.writing as simulated_write
from trajtune.careers.read import load_career_sequences
from trajtune.dataset.titles import identity
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import FileSource, JsonHistory, ProcessSettings, SimulatedSource
from trajtune.simulation.bayes_optimum import kinds_of_moves
from trajtune.simulation.faults import FAULTS
from trajtune.simulation.generator import (
    DAYS_PER_MONTH,
    MOVES,
    NUM_LEVELS,
    PERSONAS,
    build_process,
    num_titles,
)
from trajtune.simulation.simulate import BLOCK, days_since_epoch, simulate, simulate_blocks
from trajtune.simulation.source_rows import simulated_rows
from trajtune.simulation.spellings import NUM_FORMS, canonical_table, forms_of, surface_table
from trajtune.simulation.title_names import LANGUAGES
from trajtune.simulation.writing import write_simulated

SMALL = ProcessSettings(num_families=3, num_specialisations=3)
COLUMNS = ("personas", "cohorts", "languages", "hireable", "titles", "forms", "starts", "ends", "held")


@pytest.fixture(scope="module")
def many():
    return simulate(5 * BLOCK, 0, SMALL)


def is_last(careers):
    last = np.zeros(len(careers.titles), bool)
    last[careers.offsets[1:] - 1] = True
    return last


def test_the_default_has_840_titles_and_the_largest_over_ten_thousand_all_different():
    assert num_titles(ProcessSettings()) == 840
    largest = ProcessSettings(num_families=12, num_specialisations=120)
    titles = canonical_table(largest)
    assert len(titles) == len(LANGUAGES) * num_titles(largest) == 3 * 10_080
    assert len({identity(title) for title in titles}) == len(titles)


def test_every_form_of_a_title_is_read_as_that_title():
    for title in canonical_table(ProcessSettings()):
        forms = forms_of(title)
        assert len(forms) == NUM_FORMS
        assert {identity(form) for form in forms} == {identity(title)}


def test_people_write_titles_in_all_the_ways_that_real_ones_do():
    forms = set(surface_table(ProcessSettings()))
    for form in (
        "Sr. Software Eng.",
        "SENIOR SOFTWARE ENGINEER",
        "senior software engineer",
        "Jr Backend Dev",
    ):
        assert form in forms
    assert any("ç" in form for form in forms)
    assert any("ü" in form for form in forms)


def test_same_seed_same_careers_and_another_seed_others():
    one, same, other = simulate(500, 7, SMALL), simulate(500, 7, SMALL), simulate(500, 8, SMALL)
    assert all((getattr(one, name) == getattr(same, name)).all() for name in COLUMNS)
    assert not np.array_equal(one.titles[:500], other.titles[:500])


def test_a_career_is_the_same_however_many_are_drawn(many):
    few = simulate(BLOCK + 10, 0, SMALL)
    roles = few.offsets[-1]
    assert (many.offsets[: len(few) + 1] == few.offsets).all()
    assert (many.titles[:roles] == few.titles).all()
    assert (many.starts[:roles] == few.starts).all()
    assert (many.candidate_ids == np.arange(len(many)) + 1).all()


def test_blocks_hold_the_same_careers_as_the_whole(many):
    blocks = list(simulate_blocks(5 * BLOCK, 0, SMALL))
    assert len(blocks) == 5
    assert (np.concatenate([block.ends for block in blocks]) == many.ends).all()


def test_roles_follow_each_other_and_only_the_last_may_be_held(many):
    last = is_last(many)
    assert (many.ends > many.starts).all()
    assert (many.starts[1:] > many.ends[:-1])[~last[:-1]].all()
    assert (many.starts <= days_since_epoch(SMALL.as_of)).all()
    assert (many.held == (many.ends > days_since_epoch(SMALL.as_of))).all()
    assert not many.held[~last].any()
    assert 0.4 < many.held[last].mean() < 0.6


def test_moves_happen_as_often_as_the_process_says(many):
    process = build_process(SMALL)
    within = ~is_last(many)[:-1]
    before, after = many.titles[:-1][within].astype(int), many.titles[1:][within].astype(int)
    persona = np.repeat(many.personas, np.diff(many.offsets))[:-1][within]
    kind = kinds_of_moves(SMALL, before, after)
    for z in range(len(PERSONAS)):
        for level in range(NUM_LEVELS):
            members = (persona == z) & (before % NUM_LEVELS == level)
            observed = np.bincount(kind[members], minlength=len(MOVES))
            expected = process.move[z, level] * members.sum()
            assert (observed[expected == 0] == 0).all()
            spread = np.sqrt(expected * (1 - process.move[z, level])) + 1
            assert (np.abs(observed - expected) < 5 * spread).all()


def test_tenures_are_log_normal_by_persona_and_level(many):
    process = build_process(SMALL)
    persona, level = np.repeat(many.personas, np.diff(many.offsets)), many.titles % NUM_LEVELS
    months = (many.ends - many.starts) / DAYS_PER_MONTH
    standard = (np.log(months) - process.log_tenure_mean[persona, level]) / process.log_tenure_sigma[persona]
    assert np.median(standard) == pytest.approx(0, abs=0.02)
    assert np.quantile(standard, 0.9) == pytest.approx(1.2816, abs=0.03)


def test_the_number_of_roles_tells_nothing_of_persona_or_titles(many):
    num_roles = np.diff(many.offsets)
    assert num_roles.min() == 2
    first_level = many.titles[many.offsets[:-1]] % NUM_LEVELS
    for z in range(len(PERSONAS)):
        assert num_roles[many.personas == z].mean() == pytest.approx(num_roles.mean(), abs=0.12)
    assert num_roles[first_level <= 1].mean() == pytest.approx(num_roles.mean(), abs=0.08)


def test_drift_changes_the_families_over_the_years_and_none_does_not():
    def share_of_first_family(drift):
        settings = SMALL.model_copy(update={"drift": drift})
        careers = simulate(3 * BLOCK, 0, settings)
        last = careers.offsets[1:] - 1
        family = careers.titles[last] // (SMALL.num_specialisations * NUM_LEVELS)
        recent = careers.starts[last] > np.median(careers.starts[last])
        shares = [np.bincount(family[part], minlength=3) / part.sum() for part in (recent, ~recent)]
        return np.abs(shares[0] - shares[1]).max()

    assert share_of_first_family(0.0) < 0.03
    assert share_of_first_family(2.0) > 0.06


def test_single_roles_are_drawn_only_when_asked_for():
    careers = simulate(BLOCK, 0, SMALL.model_copy(update={"min_roles": 1}))
    assert np.diff(careers.offsets).min() == 1


def test_every_file_holds_the_same_careers(tmp_path):
    for name in ("careers.parquet", "careers.jsonl", "roles.csv"):
        assert write_simulated(200, 3, str(tmp_path / name), SMALL) == str(tmp_path / name)
    careers, surface = simulate(200, 3, SMALL), surface_table(SMALL)
    expected = []
    for i in range(200):
        for role in range(careers.offsets[i], careers.offsets[i + 1]):
            number = int(careers.languages[i]) * num_titles(SMALL) + int(careers.titles[role])
            days = [np.datetime64(int(day), "D") for day in (careers.starts[role], careers.ends[role])]
            end = None if careers.held[role] else str(days[1])
            expected.append(
                (i + 1, surface[number * NUM_FORMS + int(careers.forms[role])], str(days[0]), end)
            )

    def flat(rows):
        return [
            (row["id"], role["title"], role["start_date"], role["end_date"])
            for row in rows
            for role in row["work_history"]
        ]

    lines = (tmp_path / "careers.jsonl").read_text("utf-8").splitlines()
    assert flat(map(json.loads, lines)) == expected
    table = pq.read_table(tmp_path / "careers.parquet").to_pylist()
    assert flat({**row, "work_history": json.loads(row["work_history"])} for row in table) == expected
    assert [row["hireable"] for row in table] == careers.hireable.tolist()
    with (tmp_path / "roles.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [
        (int(row["candidate_id"]), row["title"], row["start_date"], row["end_date"] or None) for row in rows
    ] == expected
    assert [row["is_current"] == "true" for row in rows] == careers.held.tolist()


def test_the_same_careers_are_the_same_bytes(tmp_path):
    for name in ("a.parquet", "b.parquet"):
        write_simulated(300, 0, str(tmp_path / name), SMALL)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_an_interrupted_file_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "careers.jsonl"
    write_simulated(50, 0, str(path), SMALL)
    before = path.read_bytes()

    def interrupted(*arguments):
        yield next(simulated_rows(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(simulated_write, "simulated_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_simulated(60, 0, str(path), SMALL)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("to", "settings", "message"),
    [
        (
            "careers.xlsx",
            SMALL,
            r"\.parquet, \.jsonl, \.csv files or a postgresql:// URL, but got careers.xlsx",
        ),
        ("file/careers.csv", SMALL, "^Cannot write .*file/careers.csv: .* Give another path"),
        ("roles.csv", SMALL.model_copy(update={"broken": 0.1}), "has a row a role. Write .jsonl or .parquet"),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path, to, settings, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=message) as error:
        write_simulated(10, 0, str(tmp_path / to), settings)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_faults_are_as_many_as_asked_for_and_leave_the_others_alone():
    settings = SMALL.model_copy(update={"broken": 0.2})
    whole, faulty = (
        next(simulated_rows(2_000, 0, some, "candidates"))["work_history"].to_pylist()
        for some in (SMALL, settings)
    )
    broken = [a != b for a, b in zip(whole, faulty, strict=True)]
    assert np.mean(broken) == pytest.approx(0.2, abs=0.04)


@pytest.mark.slow
def test_every_fault_is_caught_or_mended_by_the_reader(tmp_path, ray_local):
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
    assert len(FAULTS) == 11  # a role that is there twice is dropped without a reason


@pytest.mark.slow
def test_the_simulated_source_is_read_as_what_was_drawn(tmp_path, monkeypatch, ray_local):
    monkeypatch.setenv("TRAJTUNE_HOME", str(tmp_path))
    source = SimulatedSource(careers=300, seed=5, process=SMALL)
    loaded = load_career_sequences(source, DataSettings(hireable_key="hireable"))
    careers = simulate(300, 5, SMALL)
    assert loaded.source["kind"] == "simulated"
    assert ProcessSettings.model_validate(loaded.source["process"]) == SMALL
    rows = sorted(loaded.careers.to_pylist(), key=lambda row: int(row["candidate_id"]))
    surface = surface_table(SMALL)
    for i, row in enumerate(rows):
        roles = slice(careers.offsets[i], careers.offsets[i + 1])
        numbers = int(careers.languages[i]) * num_titles(SMALL) + careers.titles[roles].astype(int)
        written = [
            surface[number * NUM_FORMS + form]
            for number, form in zip(numbers, careers.forms[roles], strict=True)
        ]
        assert [identity(title) for title in row["titles"]] == [identity(title) for title in written]
        assert [days_since_epoch(day) for day in row["starts"]] == careers.starts[roles].tolist()
        assert [day is None for day in row["ends"]] == careers.held[roles].tolist()
        assert row["hireable"] == careers.hireable[i]
    assert len(rows) == 300
