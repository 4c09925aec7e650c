"""Split by move, outcomes are an unbiased sample of tenures, so a calibration is valid on test."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tests.support.careers import loaded
from trajtune.careers.exchange.partitioned import partitioned
from trajtune.careers.schema import CAREERS
from trajtune.dataset.arrays import CareerArrays, examples_of, outcome_examples
from trajtune.dataset.divide import divide
from trajtune.dataset.encode import SplitData
from trajtune.dataset.split import DayCounts, calibration_window, deciding_dates, resolve_cutoffs
from trajtune.experiment.settings import Experiment, SplitSettings
from trajtune.experiment.sources import ProcessSettings
from trajtune.finalizing.calibrate.conformal import conformal_correction
from trajtune.simulation.generator import DAYS_PER_MONTH
from trajtune.simulation.simulate import SimulatedCareers, simulate

NUM_CAREERS, SETTINGS, NOMINAL = 6_000, ProcessSettings(min_roles=2), 0.8
CONSTANT_INTERVAL = (12.0, 40.0)


@pytest.fixture(scope="module")
def simulated() -> SimulatedCareers:
    return simulate(NUM_CAREERS, 0, SETTINGS)


@pytest.fixture(scope="module")
def window_and_test(simulated: SimulatedCareers) -> tuple[SplitData, SplitData]:
    careers, experiment = _table(simulated), Experiment(split=SplitSettings(by="move"))
    dates = DayCounts.of(deciding_dates(careers, "move", as_of=SETTINGS.as_of))
    train_cutoff, val_cutoff = resolve_cutoffs(dates, experiment.split)
    read = partitioned(loaded(careers, SETTINGS.as_of))

    def splits(first: date) -> dict[str, SplitData]:
        division, _ = divide(read, experiment, first, val_cutoff, dates)
        return {name: division.split(name) for name in ("train", "val", "test")}

    moved = DayCounts.of(splits(train_cutoff)["val"].split_dates.to_numpy(zero_copy_only=False))
    divided = splits(calibration_window(moved, train_cutoff, experiment.finalize.calibration_share))
    return divided["val"], divided["test"]


def _table(careers: SimulatedCareers) -> pa.Table:
    offsets = pa.array(careers.offsets, pa.int32())
    exact = np.ones(len(careers.titles), np.int8)
    of_roles = {
        "titles": pa.array(careers.titles).cast(pa.string()),
        "starts": pa.array(careers.starts).cast(pa.date32()),
        "ends": pa.array(careers.ends, mask=careers.held).cast(pa.date32()),
        "precisions": pa.array(exact),
        "end_precisions": pa.array(exact, mask=careers.held),
    }
    columns = {name: pa.ListArray.from_arrays(offsets, values) for name, values in of_roles.items()}
    columns["candidate_id"] = pa.array([f"c{number:05d}" for number in careers.candidate_ids])
    columns["hireable"] = pa.nulls(len(careers), pa.float32())
    return pa.table(columns).select(CAREERS.names).cast(CAREERS)


def outcome_tenures(arrays: CareerArrays) -> NDArray[np.float32]:
    return arrays.tenure_months[outcome_examples(arrays).target]


def test_outcome_tenures_are_unbiased_and_those_of_ended_last_moves_are_far_shorter(
    simulated: SimulatedCareers, window_and_test: tuple[SplitData, SplitData]
) -> None:
    has_both_neighbours = np.ones(len(simulated.titles), bool)
    has_both_neighbours[simulated.offsets[1:] - 1] = has_both_neighbours[simulated.offsets[:-1]] = False
    days = (simulated.ends - simulated.starts)[has_both_neighbours]
    truth = days.mean() / DAYS_PER_MONTH - 0.5  # tenures are complete months, on average half a month shorter
    for data in window_and_test:
        arrays = data.arrays
        assert not np.isnan(outcome_tenures(arrays)).any()
        assert outcome_tenures(arrays).mean() == pytest.approx(truth, rel=0.12)
        assert np.nanmean(arrays.tenure_months[examples_of(arrays, "last").target]) < truth / 2


def test_a_correction_from_the_window_covers_test(window_and_test: tuple[SplitData, SplitData]) -> None:
    on_window, on_test = (outcome_tenures(data.arrays) for data in window_and_test)
    correction = conformal_correction(np.tile(CONSTANT_INTERVAL, (len(on_window), 1)), on_window, NOMINAL)
    assert correction is not None
    ((low, high),) = correction(np.array([CONSTANT_INTERVAL]))
    covered = np.mean((low <= on_test) & (on_test <= high))
    assert covered == pytest.approx(NOMINAL, abs=0.05)


def test_some_known_proxy_labels_of_a_short_window_are_negative_and_most_positive(
    window_and_test: tuple[SplitData, SplitData],
) -> None:
    arrays = window_and_test[0].arrays
    assert 0.75 < arrays.hireable[outcome_examples(arrays).target].mean() < 0.95
    last = arrays.hireable[examples_of(arrays, "last").target]
    assert np.nanmax(last) == 0, "the window is shorter than the twelve months of the proxy label"
