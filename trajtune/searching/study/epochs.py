"""The reports of a trial's epochs, in its user attributes ``epoch_0001``, ``epoch_0002``, ..."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_PREFIX: Final = "epoch_"


def epoch_attribute(epoch: int) -> str:
    """Return the name of the attribute with the report of an epoch (from 1)."""
    return f"{_PREFIX}{epoch:04d}"


def recorded_epochs(frozen: "FrozenTrial", *, several: bool) -> list[int]:
    """Return the completely recorded epochs, in order.

    With one objective, an epoch is complete if the study has both its report and its value. A killed writer
    may have left a report without a value. A reader of a database may see a value without its report,
    because it queries the attributes first, and a search may write an epoch in between. With several
    objectives Optuna accepts no values, so the report is enough.
    """
    if not several:
        return sorted(
            epoch for epoch in frozen.intermediate_values if epoch_attribute(epoch) in frozen.user_attrs
        )
    return sorted(int(name.removeprefix(_PREFIX)) for name in frozen.user_attrs if name.startswith(_PREFIX))


def reports(frozen: "FrozenTrial", *, several: bool) -> list[dict[str, Any]]:
    """Return the reports of the recorded epochs, in order."""
    return [frozen.user_attrs[epoch_attribute(epoch)] for epoch in recorded_epochs(frozen, several=several)]
