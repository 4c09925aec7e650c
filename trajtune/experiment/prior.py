"""Knowledge about good params before a search: a prior and results of earlier searches."""

from pydantic import Field

from trajtune.experiment.params import Settings


class PriorSettings(Settings):
    """A prior: some trials are drawn around a centre, many at first and fewer as more trials end.

    The sampler ``gp`` weighs its acquisition function with the prior instead.
    """

    center: dict[str, bool | int | float | str] = Field(
        default={},
        description="Values of searched params. Missing values are taken from `training`. A value outside "
        "its range is replaced by the nearest end of the range.",
    )
    width: float = Field(
        0.2,
        gt=0,
        description="Standard deviation around the centre, as a share of the range of a param (of its "
        "logarithm with `log`). For a categorical param: the probability that the value is drawn from all "
        "choices instead of being the centre.",
    )
    widths: dict[str, float] = Field(
        default={}, description="Widths of single params; the others have `width`."
    )
    trials: float = Field(
        10.0,
        gt=0,
        description="Number of ended trials after which half of the next trials are drawn from the prior. "
        "The share is trials / (trials + ended).",
    )


class KnownTrial(Settings):
    """A result of an earlier search of the same function on the same snapshot."""

    params: dict[str, bool | int | float | str] = Field(description="The searched params.")
    value: float = Field(description="Value of `search.metric`.")
