"""Errors of a training epoch."""

import pandas as pd
import pytest
import torch

import trajtune
from trajtune.errors import TrainingError


def test_a_loss_that_is_not_finite_stops_the_epoch(split: tuple[pd.DataFrame, ...]) -> None:
    encoder = trajtune.TitleEncoder.fit(["Nurse", "Senior Nurse", "Head Nurse"])
    loader, _ = trajtune.create_dataloaders(split[0], split[1], encoder)
    model = trajtune.CareerTrajectoryLSTM(encoder.vocab_size)
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(TrainingError, match="finite loss, but it is inf at step 1"):
        trajtune.train_epoch(
            model, loader, optimizer, lambda logits, target: logits.sum().abs() * float("inf")
        )
