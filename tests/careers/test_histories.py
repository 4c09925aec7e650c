"""Parts of histories are joined in the order of their careers."""

import numpy as np
import pyarrow as pa

from tests.careers.test_json_history import plain, role
from trajtune.careers.histories import joined
from trajtune.careers.json_objects import read_objects
from trajtune.experiment.sources import JsonHistory

LAYOUT = JsonHistory()


def test_parts_are_joined_in_the_order_of_their_indices() -> None:
    values = [[role("A"), role("B")], None, 5, [role("C")]]
    whole = read_objects(values, LAYOUT)
    parts = [
        (np.array(at), read_objects([values[place] for place in at], LAYOUT)) for at in ([3, 1], [0], [2])
    ]
    assert plain(joined(parts)) == plain(whole)


def test_only_some_careers_keep_their_roles() -> None:
    whole = read_objects([[role("A")], [role("B"), role("C")], []], LAYOUT)
    some = whole.only(np.array([False, True, True]))
    assert some.owners.tolist() == [0, 0]
    assert some.roles.titles == pa.array(["B", "C"])
    assert len(some.faults) == 2
