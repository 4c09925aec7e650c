"""The earlier days of a backtest, and the small snapshot of each."""

from datetime import date
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tests.dataset.later_facts import some_career
from tests.monitoring.test_known_careers import EARLIER, changed_later, known, options
from trajtune.dataset.identity.synonyms import title_rule
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import SnapshotError, SplitError
from trajtune.experiment.settings import VocabularySettings
from trajtune.monitoring.known_careers import KnownCareers
from trajtune.monitoring.origins import (
    Origin,
    choose_origins,
    origin_division,
    origin_on,
    origin_snapshot,
    window_of,
)

VOCABULARY = VocabularySettings()


@pytest.fixture(scope="module")
def careers(changing_snapshot: Snapshot) -> KnownCareers:
    return KnownCareers.of(changing_snapshot)


def written(careers: KnownCareers, origin: Origin, parent: Path) -> Snapshot:
    return origin_snapshot(parent, origin_division(careers, origin, VOCABULARY, title_rule(VOCABULARY)))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("seed", range(3))
def test_no_fact_from_an_origin_on_changes_a_byte_that_its_models_read(seed: int, tmp_path: Path) -> None:
    """Train, what stops and calibrates, and the vocabulary, as they lie on disk."""
    rng, data = Random(seed), options()
    before = [some_career(rng) for _ in range(400)]
    folders = []
    for name, careers in (("before", before), ("after", changed_later(before, rng, EARLIER))):
        known_then = known(careers, data)
        origin = origin_on(known_then, EARLIER, date(2009, 9, 1))
        folders.append(Path(str(written(known_then, origin, tmp_path / name).path)))
    first, second = map(files_of, folders)
    assert set(first) == {"manifest.json", "vocabulary.json", "train/careers.parquet", "val/careers.parquet"}
    assert first == second


def test_origins_divide_the_newer_half_of_the_moves_evenly(careers: KnownCareers) -> None:
    origins = choose_origins(careers, 4)
    assert [origin.until for origin in origins] == [*(o.day for o in origins[1:]), careers.val_cutoff]
    days = careers.move_days(careers.val_cutoff).astype("datetime64[D]")
    known = [np.mean(days < np.datetime64(origin.day)) for origin in origins]
    assert known == pytest.approx([0.5, 0.625, 0.75, 0.875], abs=0.01)


def test_an_origins_training_ends_before_what_it_holds_out(careers: KnownCareers, tmp_path: Path) -> None:
    for origin in choose_origins(careers, 2):
        snapshot = written(careers, origin, tmp_path)
        train, held_out = snapshot.read("train"), snapshot.read("val")
        assert max(train.split_dates.to_pylist()) < origin.held_out_since
        assert min(held_out.split_dates.to_pylist()) >= origin.held_out_since
        assert max(held_out.split_dates.to_pylist()) < origin.day
        dates = window_of(careers, origin).split_dates.to_pylist()
        assert origin.day <= min(dates) <= max(dates) < origin.until


def test_a_title_that_came_later_is_not_in_an_origins_vocabulary(
    careers: KnownCareers, tmp_path: Path
) -> None:
    origin = choose_origins(careers, 1)[0]
    snapshot = written(careers, origin, tmp_path)
    seen = set(snapshot.read("train").titles.flatten().to_pylist())
    assert {title for index, title in snapshot.encoder().idx_to_title.items() if index} == seen


def test_what_lies_on_disk_is_used_again_and_what_is_damaged_is_written_again(
    careers: KnownCareers, tmp_path: Path
) -> None:
    origin = choose_origins(careers, 1)[0]
    folder = Path(str(written(careers, origin, tmp_path).path))
    before = {name: path.stat().st_mtime_ns for name in files_of(folder) for path in [folder / name]}
    written(careers, origin, tmp_path)
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before
    whole = files_of(folder)
    (folder / "train/careers.parquet").write_bytes(b"damaged")
    written(careers, origin, tmp_path)
    assert files_of(folder) == whole


def test_an_origin_holds_no_test_split(careers: KnownCareers, tmp_path: Path) -> None:
    snapshot = written(careers, choose_origins(careers, 1)[0], tmp_path)
    with pytest.raises(SnapshotError, match="Only finalize opens test"):
        snapshot.read("test")  # type: ignore[arg-type]


def test_too_many_origins_are_refused_in_a_line() -> None:
    few = known([some_career(Random(0)) for _ in range(20)], options())
    with pytest.raises(SplitError, match=r"Use fewer --origins|use fewer --origins"):
        choose_origins(few, 50)
    with pytest.raises(SplitError, match="Load more careers"):
        choose_origins(few, 1)
