"""Checks before a search that its snapshot is large enough for training and for a bundle."""

import json
import sys
from typing import Final

from trajtune.dataset.snapshot import MANIFEST, REFIT, Snapshot
from trajtune.errors import SnapshotError
from trajtune.experiment.settings import Experiment

TOO_FEW: Final = 30
"""With fewer people there is no calibration, and so no bundle."""


def check_ready(experiment: Experiment, snapshot: Snapshot) -> None:
    """Refuse a snapshot that cannot be trained on, and warn if finalize would refuse it.

    Raises:
        SnapshotError: If the vocabulary contains no title.
    """
    if snapshot.encoder().vocab_size <= 1:
        raise SnapshotError(
            f"The vocabulary must contain at least one title, but no title in train occurs "
            f"{experiment.vocabulary.min_count} times. Lower `vocabulary.min_count` or load more careers, "
            "and prepare again."
        )
    on_known = experiment.finalize.refit_on == "known"
    manifest = (
        json.loads((snapshot.path / REFIT / MANIFEST).read_text(encoding="utf-8"))
        if on_known
        else snapshot.manifest
    )
    people = manifest["splits"]["val"]["careers"]
    if people < TOO_FEW:
        name = "the calibration window" if on_known else "val"
        print(
            f"{name} has {people} people, and calibration needs {TOO_FEW}: `trajtune finalize` will "
            "refuse this run. Move the cutoffs apart or load more careers.",
            file=sys.stderr,
        )
