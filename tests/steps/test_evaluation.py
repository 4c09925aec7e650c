"""What measuring a model needs."""

import pandas as pd
import pytest

import trajtune
from trajtune.errors import TrainingError


def test_a_career_step_without_its_vocabulary_says_what_to_give(split: tuple[pd.DataFrame, ...]) -> None:
    with pytest.raises(TrainingError, match="Give `encoder`"):
        trajtune.test_career_changers(trajtune.CareerTrajectoryLSTM(4), split[2])
