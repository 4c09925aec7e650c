"""What an experiment believes or knows of its params before the search."""

from pydantic import Field

from trajtune.experiment.params import Settings


class PriorSettings(Settings):
    """Part of the trials are drawn around a centre, many at first and ever fewer as trials end."""

    center: dict[str, bool | int | float | str] = Field(
        default={},
        description="Values of searched params; those left out are taken from `training`. A value outside "
        "its range counts as the nearest end.",
    )
    width: float = Field(
        0.2,
        gt=0,
        description="Standard deviation around the centre, as a share of a param's range (of its logarithm "
        "with `log`). Of choices, the probability that any may be drawn, and not the centre alone.",
    )
    widths: dict[str, float] = Field(default={}, description="Widths of single params.")
    trials: float = Field(
        10.0,
        gt=0,
        description="After so many trials half of the next ones are drawn from the prior: in general "
        "trials / (trials + ended).",
    )


class KnownTrial(Settings):
    """A result of an earlier search of the same function on the same snapshot."""

    params: dict[str, bool | int | float | str] = Field(description="The searched params.")
    value: float = Field(description="Of `search.metric`.")
