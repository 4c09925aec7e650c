"""The careers that trials train on: all of train, or its newest where the search is to be cheaper."""

from typing import TYPE_CHECKING

import numpy as np

from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.encode import SplitData
from trajtune.experiment.settings import SearchSettings

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot


def train_careers(snapshot: "Snapshot", settings: SearchSettings) -> CareerArrays:
    """Train as the search reads it; val is always read whole."""
    train = snapshot.read("train")
    if settings.max_train_careers is None or settings.max_train_careers >= train.arrays.num_careers:
        return train.arrays
    return newest(train, settings.max_train_careers)


def newest(split: SplitData, number: int) -> CareerArrays:
    """The careers with the latest split dates, in the split's order; of equal dates the first.

    The newest, not a random share: they are nearest to the careers that the model is chosen and measured on.
    """
    days = split.split_dates.cast("int32").to_numpy()
    chosen = np.sort(np.argsort(-days, kind="stable")[:number])
    arrays = split.arrays
    num_roles = np.diff(arrays.offsets)[chosen]
    offsets = np.concatenate([[0], np.cumsum(num_roles)]).astype(np.int64)
    # Where each chosen role stands: its career's first role, and how far behind that it is.
    roles = np.repeat(arrays.offsets[chosen] - offsets[:-1], num_roles) + np.arange(offsets[-1])
    columns = {name: column[roles] for name, column in arrays.to_dict().items() if name != "offsets"}
    return CareerArrays.from_dict({**columns, "offsets": offsets})
