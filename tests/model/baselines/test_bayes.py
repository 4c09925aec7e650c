"""The Bayes optimum on a snapshot, measured with the same metrics as the model and the baselines."""

from datetime import date
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest

from trajtune.careers.schema import CAREERS, QUARANTINE, LoadedCareers, Precision
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import read_split, split_files
from trajtune.errors import SnapshotError
from trajtune.experiment.settings import DataSettings, Experiment, SplitSettings, StorageSettings
from trajtune.experiment.sources import ProcessSettings, SimulatedSource
from trajtune.model.baselines.baselines import markov
from trajtune.model.baselines.bayes import (
    bayes_predictions,
    has_bayes_optimum,
    optimum_metrics,
    population_optimum,
    title_numbers,
    window_of,
)
from trajtune.model.metrics import next_role_metrics
from trajtune.simulation.generator import num_titles
from trajtune.simulation.simulate import simulate
from trajtune.simulation.source_rows import spelling_index
from trajtune.simulation.spellings import spelling_table
from trajtune.simulation.split_probability import Window

SETTINGS = ProcessSettings(num_families=4, num_specialisations=4, years=8)


def snapshot_and_truth(path, settings, num_careers, data=None, split=None):
    careers = simulate(num_careers, 0, settings)
    offsets = pa.array(careers.offsets, pa.int32())
    surface = pa.array(spelling_table(settings)).take(pa.array(spelling_index(careers, num_titles(settings))))
    ends = pa.array(careers.ends, mask=careers.held).cast(pa.date32())
    lists = [
        surface,
        pa.array(careers.starts).cast(pa.date32()),
        ends,
        pa.array(np.full(len(careers.titles), Precision.DAY, np.int8)),
        pa.array(np.full(len(careers.titles), Precision.DAY, np.int8), mask=careers.held),
    ]
    ids = pa.array([str(number) for number in careers.candidate_ids])
    label = pa.array(careers.hireable.astype(np.float32))
    columns = [ids, *(pa.ListArray.from_arrays(offsets, column) for column in lists), label]
    table = pa.table(columns, schema=CAREERS).sort_by("candidate_id")
    source = SimulatedSource(careers=num_careers, process=settings)
    loaded = LoadedCareers(
        careers=table.combine_chunks(),
        quarantine=QUARANTINE.empty_table(),
        counts=dict.fromkeys(("rows_in", "rows_kept", "careers_in", "careers"), num_careers)
        | dict.fromkeys(("rows_quarantined", "rows_duplicate", "careers_quarantined"), 0),
        source=source.model_dump(mode="json"),
        as_of=settings.as_of,
    )
    experiment = Experiment(
        source=source,
        data=data or DataSettings(),
        split=split or SplitSettings(by="career"),
        storage=StorageSettings(snapshots=str(path)),
    )
    return snapshot_of(loaded, experiment), careers


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return snapshot_and_truth(tmp_path_factory.mktemp("snapshots"), SETTINGS, 30_000)


def test_titles_are_recognised_in_every_spelling(prepared):
    snapshot, careers = prepared
    data = snapshot.read("val")
    numbers = title_numbers(data, SETTINGS)
    for i, candidate in enumerate(data.candidate_ids.to_pylist()[:500]):
        person = int(candidate) - 1
        truth = careers.titles[careers.offsets[person] : careers.offsets[person + 1]]
        found = numbers[data.arrays.offsets[i] : data.arrays.offsets[i + 1]]
        assert (found == int(careers.languages[person]) * num_titles(SETTINGS) + truth).all()


@pytest.fixture(scope="module")
def returning(tmp_path_factory):
    settings = ProcessSettings(population="returning", years=8)
    return snapshot_and_truth(tmp_path_factory.mktemp("snapshots"), settings, 30_000)


@pytest.mark.parametrize("name", ["prepared", "returning"])
def test_the_optimum_beats_a_baseline_and_has_every_metric(name, request):
    snapshot, _ = request.getfixturevalue(name)
    data = snapshot.read("val")
    found = optimum_metrics(bayes_predictions(snapshot.manifest, data, "val", snapshot.encoder()))
    train = snapshot.read("train").arrays
    counted = markov(train, snapshot.encoder().vocab_size).predict(
        data.arrays, examples_of(data.arrays, "last")
    )
    baseline = next_role_metrics(counted)
    assert found["top1"] > baseline["next_role_top1"]
    assert found["top5"] > baseline["next_role_top5"]
    assert found["mrr"] > baseline["next_role_mrr"]
    assert found["nll"] < baseline["next_role_nll"]
    assert found["tenure_coverage"] == pytest.approx(0.8, abs=0.03)
    assert 0.6 < found["hireability_auc"] < 1
    assert all(value is not None for value in found.values())


@pytest.mark.parametrize("by", get_args(SplitSettings.model_fields["by"].annotation))
@pytest.mark.parametrize("label", [None, "hireable"])
def test_the_optimum_predicts_labels_of_val_and_test_without_bias(tmp_path, by, label):
    data, split = DataSettings(hireable_key=label), SplitSettings(by=by)
    snapshot, _ = snapshot_and_truth(tmp_path, SETTINGS, 20_000, data, split)
    for split in ("val", "test"):
        data = read_split(split_files(snapshot, split))
        found = bayes_predictions(snapshot.manifest, data, split, snapshot.encoder()).predictions
        known = ~np.isnan(found.hireable)
        assert known.sum() > 10
        spread = np.sqrt((found.hireability * (1 - found.hireability))[known].sum())
        assert abs((found.hireability - found.hireable)[known].sum()) <= 4 * spread


@pytest.mark.parametrize("by", ["career", "transition", "move"])
def test_a_window_has_the_observation_day_of_the_snapshot(by):
    manifest = {
        "cutoffs": {"train": "2023-01-01", "val": "2024-01-01"},
        "as_of": "2025-06-29",
        "settings": {"split": {"by": by}},
    }
    assert window_of(manifest, "val") == Window(date(2023, 1, 1), date(2024, 1, 1), date(2023, 12, 31), by)
    assert window_of(manifest, "test") == Window(date(2024, 1, 1), None, date(2025, 6, 29), by)


def test_titles_outside_the_vocabulary_are_never_predicted(tmp_path):
    settings = SETTINGS.model_copy(update={"foreign_share": 0.02})
    snapshot, _ = snapshot_and_truth(tmp_path, settings, 3_000)
    data = snapshot.read("val")
    predictions = bayes_predictions(snapshot.manifest, data, "val", snapshot.encoder()).predictions
    assert (predictions.target == 0).any()
    assert ((predictions.rank == 0) == (predictions.target == 0)).all()
    assert (np.isnan(predictions.nll) == (predictions.target == 0)).all()
    hit = predictions.rank == 1
    assert (predictions.top_ids[hit, 0] == predictions.target[hit]).all()
    assert (predictions.top_ids > 0).all()


def test_the_simulated_label_has_a_separate_optimum(tmp_path):
    snapshot, _ = snapshot_and_truth(tmp_path, SETTINGS, 20_000, DataSettings(hireable_key="hireable"))
    data = snapshot.read("val")
    found = optimum_metrics(bayes_predictions(snapshot.manifest, data, "val", snapshot.encoder()))
    assert found["num_hireabilities"] == found["num_tenures"] + found["num_tenures_still_held"]
    assert 0.6 < found["hireability_auc"] < 0.8


def test_the_optimum_of_a_population_is_close_to_that_of_its_splits(prepared):
    snapshot, _ = prepared
    population = population_optimum(20_000, 0, SETTINGS)
    split = optimum_metrics(
        bayes_predictions(snapshot.manifest, snapshot.read("train"), "val", snapshot.encoder())
    )
    for name in ("top1", "top5", "mrr", "nll"):
        assert population[name] == pytest.approx(split[name], abs=0.03)
    assert population["tenure_coverage"] == pytest.approx(0.8, abs=0.02)
    assert 0.6 < population["hireability_auc"] < 0.8


def test_only_simulated_careers_without_faults_have_a_known_optimum(prepared):
    snapshot, _ = prepared
    assert has_bayes_optimum(snapshot.manifest)
    source = snapshot.manifest["source"]
    assert not has_bayes_optimum({**snapshot.manifest, "source": {"kind": "postgres", "table": "candidates"}})
    broken = {**source, "process": {**source["process"], "broken": 0.1}}
    assert not has_bayes_optimum({**snapshot.manifest, "source": broken})
    for other in ({"as_of": "2020-01-01"}, {"merge_repeats": True}):
        data = {**snapshot.manifest["settings"]["data"], **other}
        assert not has_bayes_optimum({**snapshot.manifest, "settings": {"data": data}})


def test_val_by_move_has_no_known_optimum_if_people_return_to_titles(prepared):
    snapshot, _ = prepared
    settings = {**snapshot.manifest["settings"], "split": {"by": "move"}}
    by_move = {**snapshot.manifest, "settings": settings}
    source = snapshot.manifest["source"]
    returning = {**by_move, "source": {**source, "process": {**source["process"], "returns": 0.1}}}
    assert has_bayes_optimum(by_move, "val")
    assert has_bayes_optimum(returning, "test")
    assert not has_bayes_optimum(returning, "val")
    assert has_bayes_optimum({**returning, "settings": snapshot.manifest["settings"]}, "val")


def test_titles_of_another_population_are_refused(prepared):
    snapshot, _ = prepared
    smaller = SETTINGS.model_copy(update={"num_families": 2})
    with pytest.raises(SnapshotError, match="has no title '.+'. Prepare the snapshot again."):
        title_numbers(snapshot.read("val"), smaller)
