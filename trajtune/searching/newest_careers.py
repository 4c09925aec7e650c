"""Selects the careers that trials train on: all of train, or only the newest ones for a faster search."""

from typing import TYPE_CHECKING

import numpy as np

from trajtune.dataset.arrays import CareerArrays, roles_not_read
from trajtune.dataset.encode import SplitData
from trajtune.experiment.search_settings import SearchSettings

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot


def train_careers(snapshot: "Snapshot", settings: SearchSettings) -> CareerArrays:
    """Return the train careers of a search: the newest ``max_train_careers``, or all. Val is never cut."""
    train = snapshot.read("train")
    if settings.max_train_careers is None or settings.max_train_careers >= train.arrays.num_careers:
        return train.arrays
    return newest(train, settings.max_train_careers)


def newest(split: SplitData, number: int) -> CareerArrays:
    """Return the ``number`` careers with the latest split dates, in the split's order.

    Among equal dates, earlier rows come first. The newest careers are closer in time to val and test than
    a random sample is.
    """
    days = split.split_dates.cast("int32").to_numpy()
    chosen = np.sort(np.argsort(-days, kind="stable")[:number])
    arrays = split.arrays
    num_roles = np.diff(arrays.offsets)[chosen]
    offsets = np.concatenate([[0], np.cumsum(num_roles)]).astype(np.int64)
    # Index of each chosen role: the index of its career's first role, plus its position in the career.
    roles = np.repeat(arrays.offsets[chosen] - offsets[:-1], num_roles) + np.arange(offsets[-1])
    columns = {name: column[roles] for name, column in arrays.to_dict().items() if name != "offsets"}
    return CareerArrays.from_dict({**columns, "offsets": offsets})


def what_is_not_read(train: CareerArrays, max_history: int) -> str | None:
    """Return a line about the roles of train that `Params.max_history` leaves out, or None without any."""
    careers, roles = roles_not_read(train, max_history)
    if not careers:
        return None
    return (
        f"{careers:,} of {train.num_careers:,} train careers have more than {max_history} roles before their "
        f"last one: their {roles:,} earliest roles are not read (training.max_history)"
    )
