"""The epochs of a trial: what each has reported, as user attributes ``epoch_0001``, ``epoch_0002``, ..."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_PREFIX: Final = "epoch_"


def epoch_attribute(epoch: int) -> str:
    """The attribute with the report of an epoch (from 1)."""
    return f"{_PREFIX}{epoch:04d}"


def recorded_epochs(frozen: "FrozenTrial", *, several: bool) -> list[int]:
    """The epochs that count, in order.

    With one objective, an epoch counts when the study holds its report and its value. A killed writer may
    have left a report without a value. A reader of a database may see a value without its report, because
    it asks for the attributes first, and a search may write an epoch in between. With several objectives
    Optuna takes no values, and the report is enough.
    """
    if not several:
        return sorted(
            epoch for epoch in frozen.intermediate_values if epoch_attribute(epoch) in frozen.user_attrs
        )
    return sorted(int(name.removeprefix(_PREFIX)) for name in frozen.user_attrs if name.startswith(_PREFIX))


def reports(frozen: "FrozenTrial", *, several: bool) -> list[dict[str, Any]]:
    """What each epoch reported, in order."""
    return [frozen.user_attrs[epoch_attribute(epoch)] for epoch in recorded_epochs(frozen, several=several)]
