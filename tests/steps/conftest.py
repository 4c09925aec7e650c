"""Fixtures: careers with three titles, as rows of roles, and their split."""

import pandas as pd
import pytest

import trajtune

ROLES = pd.DataFrame(
    [
        (person, title, f"{year + person % 4}-01-01", f"{year + person % 4}-12-31")
        for person in range(40)
        for title, year in (("Nurse", 2001), ("Senior Nurse", 2003), ("Head Nurse", 2005))
    ],
    columns=["candidate_id", "title", "start_date", "end_date"],
)
CUTOFFS = ("2007-01-01", "2008-01-01")


@pytest.fixture(scope="session")
def split(ray_local: None) -> tuple[pd.DataFrame, ...]:
    return trajtune.temporal_split(ROLES, *CUTOFFS)
