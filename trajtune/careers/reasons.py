"""Why a role or a career was left out."""

from enum import IntEnum


class Reason(IntEnum):
    """Why something was left out; if a role has several reasons, the first one here."""

    NONE = 0
    NO_ID = 1
    UNREADABLE_HISTORY = 2
    NOT_A_ROLE = 3
    NO_TITLE = 4
    TITLE_NOT_TEXT = 5
    NO_START = 6
    UNREADABLE_START = 7
    UNREADABLE_END = 8
    AMBIGUOUS_DATE = 9
    START_IN_FUTURE = 10
    END_BEFORE_START = 11
    TOO_FEW_ROLES = 12
    DUPLICATE_ID = 13

    @property
    def code(self) -> str:
        """Its name in the quarantine."""
        return self.name.lower()
