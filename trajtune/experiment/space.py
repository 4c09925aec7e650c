"""Search spaces: which params are searched, over which values, and under which conditions.

A space file has a mapping `params:` from names of `Params` to distributions or fixed values. The research
default must be inside the space, because it is trial 0 of every search. Knows nothing of Ray; Optuna is
imported only in functions that need it.
"""

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from trajtune.errors import ExperimentError
from trajtune.experiment.load import find_file, load_yaml, validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params, Settings

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Value = bool | int | float | str | None

REQUIRED: Final = ("embedding_dim", "hidden_dim", "num_layers", "dropout", "learning_rate", "batch_size")
"""Params of the specification, which every space must contain, searched or fixed."""


class Distribution(Settings):
    """Base class of the distributions."""

    when: dict[str, list[Value]] = Field(
        default={},
        description="Condition: search this param only if each named param has one of the given values. "
        "Otherwise it keeps its value from the `training` section of the experiment.",
    )

    @field_validator("when", mode="before")
    @classmethod
    def _one_value_is_a_list(cls, when: Any) -> Any:
        if not isinstance(when, dict):
            return when
        return {key: value if isinstance(value, list) else [value] for key, value in when.items()}


class FloatRange(Distribution):
    """A real number between two bounds, both inclusive."""

    type: Literal["float"]
    low: float = Field(description="Lower bound.")
    high: float = Field(description="Upper bound.")
    log: bool = Field(False, description="Whether the logarithm is uniformly distributed.")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        _check_bounds(self.low, self.high, self.log)
        return self

    def holds(self, value: Any) -> bool:
        """Return whether ``value`` is in the distribution."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def ends(self) -> list[Value]:
        """Return the extreme values; if they are valid params, all values are."""
        return [self.low, self.high]

    def suggest(self, trial: "Trial", name: str) -> Value:
        """Return the value that an Optuna trial suggests."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def distribution(self) -> "BaseDistribution":
        """Return the equivalent distribution of Optuna."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=self.log)


class IntRange(Distribution):
    """A whole number between two bounds, both inclusive."""

    type: Literal["int"]
    low: int = Field(description="Lower bound.")
    high: int = Field(description="Upper bound.")
    step: int = Field(1, ge=1, description="Difference between neighbouring values, starting from `low`.")
    log: bool = Field(
        False, description="Whether the logarithm is uniformly distributed; the step must then be 1."
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        _check_bounds(self.low, self.high, self.log)
        if self.log and self.step != 1:
            raise ValueError(f"`step` must be 1 if `log` is true, but got {self.step}. Remove one of them")
        if (self.high - self.low) % self.step:
            raise ValueError(
                f"`high - low` must be a multiple of `step`, but got {self.low}, {self.high}, {self.step}"
            )
        return self

    def holds(self, value: Any) -> bool:
        """Return whether ``value`` is in the distribution."""
        return (
            isinstance(value, int) and self.low <= value <= self.high and (value - self.low) % self.step == 0
        )

    def ends(self) -> list[Value]:
        """Return the extreme values; if they are valid params, all values are."""
        return [self.low, self.high]

    def suggest(self, trial: "Trial", name: str) -> Value:
        """Return the value that an Optuna trial suggests."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def distribution(self) -> "BaseDistribution":
        """Return the equivalent distribution of Optuna."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, step=self.step, log=self.log)


class Choice(Distribution):
    """One of several unordered values."""

    type: Literal["categorical"]
    choices: list[Value] = Field(min_length=1, description="Values to choose from.")

    def holds(self, value: Any) -> bool:
        """Return whether ``value`` is in the distribution."""
        return value in self.choices

    def ends(self) -> list[Value]:
        """Return the extreme values; if they are valid params, all values are."""
        return self.choices

    def suggest(self, trial: "Trial", name: str) -> Value:
        """Return the value that an Optuna trial suggests."""
        value: Value = trial.suggest_categorical(name, self.choices)
        return value

    def distribution(self) -> "BaseDistribution":
        """Return the equivalent distribution of Optuna."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.choices)


def _kind(value: Any) -> str:
    if isinstance(value, Distribution):
        return str(getattr(value, "type", ""))
    return str(value.get("type", "")) if isinstance(value, dict) else "fixed"


Entry = Annotated[
    Annotated[FloatRange, Tag("float")]
    | Annotated[IntRange, Tag("int")]
    | Annotated[Choice, Tag("categorical")]
    | Annotated[Value, Tag("fixed")],
    Discriminator(
        _kind,
        custom_error_type="distribution_type",
        custom_error_message="`type` must be float, int or categorical",
    ),
]


class Space(Settings):
    """A space file, checked against `Params` and the research default."""

    params: dict[str, Entry]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        faults = [*self._unknown(), *self._invalid(), *self._without_default(), *self._conditions()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def searched(self) -> dict[str, FloatRange | IntRange | Choice]:
        """Distributions by name, in the order of the file."""
        return {name: entry for name, entry in self.params.items() if isinstance(entry, Distribution)}

    @property
    def fixed(self) -> dict[str, Value]:
        """Fixed values by name."""
        return {name: entry for name, entry in self.params.items() if not isinstance(entry, Distribution)}

    @property
    def has_conditions(self) -> bool:
        """Whether any param is searched only for certain values of another param."""
        return any(entry.when for entry in self.searched.values())

    def searched_values(self, params: Params) -> dict[str, Value]:
        """Return the values of ``params`` that a search would suggest, considering the conditions."""
        values = params.model_dump()
        found: dict[str, Value] = {}
        for name, entry in self.searched.items():
            if _applies(entry, found):
                found[name] = values[name]
        return found

    def outside(self, params: Params) -> list[str]:
        """Return one line for each searched value of ``params`` that is outside this space."""
        values = self.searched_values(params)
        return [
            f"`{name}` is {value!r}, outside {describe(self.searched[name])}"
            for name, value in values.items()
            if not self.searched[name].holds(value)
        ]

    def differences(self, params: Params, base: Params) -> list[str]:
        """Return the names of settings that are not searched and in which ``params`` differ from ``base``."""
        expected = self.resolve(base, self.searched_values(params)).model_dump()
        return [name for name, value in params.model_dump().items() if value != expected[name]]

    def suggest(self, trial: "Trial") -> dict[str, Value]:
        """Return the trial's suggestion for every searched param that applies, in the order of the file."""
        return self.draw(lambda name, entry: entry.suggest(trial, name))

    def draw(self, draw_one: "Callable[[str, FloatRange | IntRange | Choice], Value]") -> dict[str, Value]:
        """Return a value from ``draw_one`` for every searched param that applies, in the file's order."""
        drawn: dict[str, Value] = {}
        for name, entry in self.searched.items():
            if _applies(entry, drawn):
                drawn[name] = draw_one(name, entry)
        return drawn

    def distributions(self, values: Mapping[str, Value]) -> "dict[str, BaseDistribution]":
        """Return Optuna's distributions of the searched params in ``values``."""
        return {name: entry.distribution() for name, entry in self.searched.items() if name in values}

    def resolve(self, base: Params, suggested: Mapping[str, Value]) -> Params:
        """Return the params of a trial: ``base``, overridden by the fixed and then the suggested values."""
        return Params.model_validate({**base.model_dump(), **self.fixed, **suggested})

    def _unknown(self) -> Iterator[str]:
        known = sorted(Params.model_fields)
        for name in self.params:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                yield f"unknown param `{name}`, " + (
                    f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
                )

    def _invalid(self) -> Iterator[str]:
        for name, entry in self.params.items():
            if name not in Params.model_fields:
                continue
            for value in entry.ends() if isinstance(entry, Distribution) else [entry]:
                try:
                    Params.model_validate({name: value})
                except ValidationError as error:
                    yield f"`{name}`: {error.errors()[0]['msg']}, got {value!r}"

    def _without_default(self) -> Iterator[str]:
        missing = [name for name in REQUIRED if name not in self.params]
        if missing:
            values = ", ".join(
                f"`{name}` (research default {getattr(RESEARCH_DEFAULT, name)})" for name in missing
            )
            yield (
                "a space must contain the params of the research default, but these are missing: "
                f"{values}. Add them"
            )
        if set(self.params) <= set(Params.model_fields):
            for fault in self.outside(RESEARCH_DEFAULT):
                yield f"the research default must be inside the space, but its {fault}. Widen the range"
        for name in REQUIRED:
            if name in self.fixed and self.fixed[name] != getattr(RESEARCH_DEFAULT, name):
                fixed, default = self.fixed[name], getattr(RESEARCH_DEFAULT, name)
                yield (
                    f"the research default must be inside the space, but its `{name}` is {default!r}, and "
                    f"the space fixes it at {fixed!r}. Search it"
                )

    def _conditions(self) -> Iterator[str]:
        earlier: dict[str, FloatRange | IntRange | Choice] = {}
        for name, entry in self.searched.items():
            for other, values in entry.when.items():
                if other not in earlier:
                    yield f"`{name}` depends on `{other}`, which must be a searched param above it"
                elif not all(earlier[other].holds(value) for value in values):
                    yield f"`{name}` depends on {other} in {values}, outside {describe(earlier[other])}"
            earlier[name] = entry


def load_space(name: str) -> Space:
    """Load a space by name (from ``search_spaces/``) or by path.

    Raises:
        ExperimentError: If the file breaks any rule; lists all of them in one line.
    """
    path = find_file(name, "search_spaces")
    content = load_yaml(path)
    if not content:
        raise ExperimentError(f"{path} is empty. Give it a `params:` mapping.")
    return validate(Space, content, str(path))


def describe(entry: FloatRange | IntRange | Choice) -> str:
    """Return a short text for a distribution, for messages."""
    if isinstance(entry, Choice):
        return f"{{{', '.join(map(repr, entry.choices))}}}"
    step = f" step {entry.step}" if isinstance(entry, IntRange) and entry.step > 1 else ""
    return f"{entry.low:g}..{entry.high:g}{step}"


def _applies(entry: Distribution, values: Mapping[str, Any]) -> bool:
    return all(other in values and values[other] in allowed for other, allowed in entry.when.items())


def _check_bounds(low: float, high: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"`low <= high` must hold, but got {low:g} and {high:g}. Swap them")
    if log and low <= 0:
        raise ValueError(f"`low` must be above 0 if `log` is true, but got {low:g}. Raise it")
