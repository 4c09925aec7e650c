"""Test a proposal on its sampled rows, with the same code as `prepare`, before it is written."""

from collections import Counter
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from trajtune.careers.histories import Histories
from trajtune.careers.init.proposal import Proposal
from trajtune.careers.json_history import read_histories
from trajtune.careers.parse.text import blank_to_null
from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import RawRoles, check_roles
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import JsonHistory, RoleRows


@dataclass(frozen=True)
class Trial:
    """Result of reading the sampled rows with a proposal.

    Attributes:
        num_rows: Number of sampled rows.
        num_roles: Number of roles in them.
        num_good: Number of roles without a fault.
        most_frequent_fault: Code of the most frequent fault; None without faults.
    """

    num_rows: int
    num_roles: int
    num_good: int
    most_frequent_fault: str | None

    @property
    def sentence(self) -> str:
        """The result as a sentence for the user."""
        share = self.num_good / max(1, self.num_roles)
        fault = f"; the most frequent fault is {self.most_frequent_fault}" if self.most_frequent_fault else ""
        return f"Tried on {self.num_rows:,} rows: {share:.1%} of {self.num_roles:,} roles can be read{fault}."


def try_proposal(proposal: Proposal, data: DataSettings, today: date) -> Trial:
    """Read the roles of the sampled rows as `prepare` would.

    Args:
        proposal: The proposal with its sampled rows.
        data: The rules for dates.
        today: See `check_roles`.
    """
    layout = proposal.source.layout
    columns = {name: [row.get(name) for row in proposal.samples] for name in _columns(layout)}
    if isinstance(layout, JsonHistory):
        histories: Histories = read_histories(_texts(columns[layout.history_column]), layout)
        raw = histories.roles
        num_unreadable = histories.faults.is_valid().to_pylist().count(True)
    else:
        nothing: list[str | None] = [None] * len(proposal.samples)
        names = (layout.title_column, layout.start_column, layout.end_column, layout.current_column)
        titles, starts, ends, currents = (_texts(columns[name] if name else nothing) for name in names)
        faults_before, details = np.zeros(len(nothing), np.int8), pa.nulls(len(nothing), pa.string())
        raw = RawRoles(titles, starts, ends, currents, faults_before, details)
        num_unreadable = 0
    faults = Counter(check_roles(raw, data, today)["fault"].to_pylist())
    num_good = faults.pop(0, 0)
    if num_unreadable:
        faults[Reason.UNREADABLE_HISTORY] = num_unreadable
    most_frequent = min(faults, key=lambda fault: (-faults[fault], fault)) if faults else None
    return Trial(
        len(proposal.samples),
        num_good + sum(faults.values()),
        num_good,
        None if most_frequent is None else Reason(most_frequent).code,
    )


def _columns(layout: JsonHistory | RoleRows) -> list[str]:
    if isinstance(layout, JsonHistory):
        return [layout.history_column]
    names = (layout.title_column, layout.start_column, layout.end_column, layout.current_column)
    return [name for name in names if name is not None]


def _texts(values: list[str | None]) -> pa.Array:
    return blank_to_null(pa.array(values, pa.string()))
