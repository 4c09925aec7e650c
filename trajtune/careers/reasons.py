"""The reasons for which a role or a career is left out, and the settings that may help."""

from enum import IntEnum
from typing import Final


class Reason(IntEnum):
    """The reason for which something was left out. If a role has several, the first one here counts."""

    NONE = 0
    UNREADABLE_ROW = 1
    UNREADABLE_HISTORY = 2
    NO_ID = 3
    NOT_A_ROLE = 4
    NO_TITLE = 5
    TITLE_NOT_TEXT = 6
    NO_START = 7
    UNREADABLE_START = 8
    UNREADABLE_END = 9
    AMBIGUOUS_DATE = 10
    START_IN_FUTURE = 11
    END_BEFORE_START = 12
    HELD_TOO_LONG = 13
    TOO_FEW_ROLES = 14
    DUPLICATE_ID = 15

    @property
    def code(self) -> str:
        """The name of the reason in the quarantine."""
        return self.name.lower()


REMEDIES: Final = {
    Reason.UNREADABLE_ROW: "`source.csv`",
    Reason.UNREADABLE_HISTORY: "`source.layout.history_column` or `history_key`",
    Reason.NO_ID: "`source.layout.id_column`",
    Reason.NOT_A_ROLE: "`source.layout`",
    Reason.NO_TITLE: "`source.layout.title_key` or `title_column`",
    Reason.TITLE_NOT_TEXT: "`source.layout.title_key` or `title_column`",
    Reason.NO_START: "`source.layout.start_key` or `start_column`",
    Reason.UNREADABLE_START: "`source.layout.start_key` or `start_column`",
    Reason.UNREADABLE_END: "`source.layout.end_key` or `end_column`",
    Reason.AMBIGUOUS_DATE: "`data.day_first`",
    Reason.START_IN_FUTURE: "`data.as_of`",
    Reason.END_BEFORE_START: "`data.day_first`, or start and end in `source.layout`",
    Reason.DUPLICATE_ID: "`source.layout.id_column`, or `layout: roles` if a row is a role",
}
"""The settings to check if many rows have a reason."""
