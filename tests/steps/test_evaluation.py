"""Measuring a model needs its vocabulary."""

import pandas as pd
import pytest

import trajtune
from trajtune.errors import TrainingError


def test_a_missing_vocabulary_is_an_error_with_the_remedy(split: tuple[pd.DataFrame, ...]) -> None:
    with pytest.raises(TrainingError, match="Give `encoder`"):
        trajtune.test_career_changers(trajtune.CareerTrajectoryLSTM(4), split[2])
