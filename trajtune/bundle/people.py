"""``test_people.npz`` of a bundle: how well the model predicted each person of test; no ids, no titles.

People are in the order of the test split. So the files of two bundles of one snapshot describe the same
people in the same order, and their models can be compared person by person.
"""

# P people

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.manifest import TEST_PEOPLE, check_file
from trajtune.errors import BundleError


@dataclass(frozen=True)
class TestPeople:
    """The next role of each person of test, as the exported graph predicted it.

    Attributes:
        rank: int32 ``[P]``: rank of the true next title, 1 is the best; 0 where it is not in the vocabulary.
        nll: float64 ``[P]``: minus the log-probability of the true next title in nats; NaN where unknown.
    """

    __test__ = False  # for pytest: this is no test

    rank: NDArray[np.int32]
    nll: NDArray[np.float64]

    def scores(self) -> dict[str, NDArray[np.float64]]:
        """Each person's part in ``top1``, ``top5``, ``mrr`` and ``nll``; the NLL may be NaN."""
        known = self.rank > 0
        return {
            "top1": (self.rank == 1).astype(np.float64),
            "top5": (known & (self.rank <= 5)).astype(np.float64),
            "mrr": np.where(known, 1.0 / np.maximum(self.rank, 1), 0.0),
            "nll": np.where(known, self.nll, np.nan),
        }


def write_test_people(people: TestPeople, path: Path) -> None:
    """Write the file; the same people give the same bytes."""
    np.savez_compressed(path, rank=people.rank, nll=people.nll.astype(np.float32))


def read_test_people(folder: Path, manifest: Mapping[str, Any]) -> TestPeople | None:
    """Read a bundle's file after comparing it with its hash; None in bundles of earlier versions.

    Raises:
        BundleError: If the file is missing, altered or damaged.
    """
    if TEST_PEOPLE not in manifest["files"]:
        return None
    check_file(folder, TEST_PEOPLE, dict(manifest))
    try:
        with np.load(folder / TEST_PEOPLE, allow_pickle=False) as content:
            return TestPeople(content["rank"], content["nll"].astype(np.float64))
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(
            f"{folder / TEST_PEOPLE} cannot be read: {error}. Finalize the run again."
        ) from error
