"""A search space: which params are searched, over what, and under which conditions.

A space file is a mapping `params:` from the names of `Params` to a distribution or a fixed value.
The research default must lie inside, because it is trial 0 of every search. Knows nothing of Ray;
Optuna is imported only where a trial is asked.
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
"""The keys that every space must hold, searched or fixed: the specification names them."""


class Distribution(Settings):
    """What every distribution may say beside its values."""

    when: dict[str, list[Value]] = Field(
        default={},
        description="Search this only while each named param has one of the values; "
        "otherwise it keeps the value of the experiment's training section.",
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
    log: bool = Field(False, description="Uniform in the logarithm.")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        _check_bounds(self.low, self.high, self.log)
        return self

    def holds(self, value: Any) -> bool:
        """Whether ``value`` can be drawn."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def ends(self) -> list[Value]:
        """The values whose validity shows that of all others."""
        return [self.low, self.high]

    def suggest(self, trial: "Trial", name: str) -> Value:
        """Ask an Optuna trial."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def distribution(self) -> "BaseDistribution":
        """The distribution that Optuna notes of it."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=self.log)


class IntRange(Distribution):
    """A whole number between two bounds, both inclusive."""

    type: Literal["int"]
    low: int = Field(description="Lower bound.")
    high: int = Field(description="Upper bound.")
    step: int = Field(1, ge=1, description="Distance of neighbours, counted from `low`.")
    log: bool = Field(False, description="Uniform in the logarithm; then the step must be 1.")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        _check_bounds(self.low, self.high, self.log)
        if self.log and self.step != 1:
            raise ValueError(f"`step` must be 1 where `log` is true, but got {self.step}. Drop one of them")
        if (self.high - self.low) % self.step:
            raise ValueError(
                f"`high - low` must be a multiple of `step`, but got {self.low}, {self.high}, {self.step}"
            )
        return self

    def holds(self, value: Any) -> bool:
        """Whether ``value`` can be drawn."""
        return (
            isinstance(value, int) and self.low <= value <= self.high and (value - self.low) % self.step == 0
        )

    def ends(self) -> list[Value]:
        """The values whose validity shows that of all others."""
        return [self.low, self.high]

    def suggest(self, trial: "Trial", name: str) -> Value:
        """Ask an Optuna trial."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def distribution(self) -> "BaseDistribution":
        """The distribution that Optuna notes of it."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, step=self.step, log=self.log)


class Choice(Distribution):
    """One of a few values with no order among them."""

    type: Literal["categorical"]
    choices: list[Value] = Field(min_length=1, description="The values.")

    def holds(self, value: Any) -> bool:
        """Whether ``value`` can be drawn."""
        return value in self.choices

    def ends(self) -> list[Value]:
        """The values whose validity shows that of all others."""
        return self.choices

    def suggest(self, trial: "Trial", name: str) -> Value:
        """Ask an Optuna trial."""
        value: Value = trial.suggest_categorical(name, self.choices)
        return value

    def distribution(self) -> "BaseDistribution":
        """The distribution that Optuna notes of it."""
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
    """A whole space file, checked against `Params` and the research default."""

    params: dict[str, Entry]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        faults = [*self._unknown(), *self._invalid(), *self._without_default(), *self._conditions()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def searched(self) -> dict[str, FloatRange | IntRange | Choice]:
        """The distributions by name, in the file's order."""
        return {name: entry for name, entry in self.params.items() if isinstance(entry, Distribution)}

    @property
    def fixed(self) -> dict[str, Value]:
        """The fixed values by name."""
        return {name: entry for name, entry in self.params.items() if not isinstance(entry, Distribution)}

    @property
    def has_conditions(self) -> bool:
        """Whether a param exists only under another's value."""
        return any(entry.when for entry in self.searched.values())

    def searched_values(self, params: Params) -> dict[str, Value]:
        """The values of ``params`` that a search would suggest, conditions minded."""
        values = params.model_dump()
        found: dict[str, Value] = {}
        for name, entry in self.searched.items():
            if _applies(entry, found):
                found[name] = values[name]
        return found

    def outside(self, params: Params) -> list[str]:
        """One line for each searched value of ``params`` that this space cannot draw."""
        values = self.searched_values(params)
        return [
            f"`{name}` is {value!r}, outside {describe(self.searched[name])}"
            for name, value in values.items()
            if not self.searched[name].holds(value)
        ]

    def differences(self, params: Params, base: Params) -> list[str]:
        """Names of settings, not searched, in which ``params`` differ from all trials around ``base``."""
        expected = self.resolve(base, self.searched_values(params)).model_dump()
        return [name for name, value in params.model_dump().items() if value != expected[name]]

    def suggest(self, trial: "Trial") -> dict[str, Value]:
        """Ask ``trial`` for every searched param that applies, in the file's order."""
        return self.draw(lambda name, entry: entry.suggest(trial, name))

    def draw(self, draw_one: "Callable[[str, FloatRange | IntRange | Choice], Value]") -> dict[str, Value]:
        """A value by ``draw_one`` for every searched param that applies, in the file's order."""
        drawn: dict[str, Value] = {}
        for name, entry in self.searched.items():
            if _applies(entry, drawn):
                drawn[name] = draw_one(name, entry)
        return drawn

    def distributions(self, values: Mapping[str, Value]) -> "dict[str, BaseDistribution]":
        """Optuna's distributions of the searched params in ``values``."""
        return {name: entry.distribution() for name, entry in self.searched.items() if name in values}

    def resolve(self, base: Params, suggested: Mapping[str, Value]) -> Params:
        """The whole params of a trial: the experiment's, then the fixed values, then the suggested."""
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
            yield f"the space must hold the research default's params, but lacks {values}. Add them"
        if set(self.params) <= set(Params.model_fields):
            for fault in self.outside(RESEARCH_DEFAULT):
                yield f"the research default must lie inside, but its {fault}. Widen it"
        for name in REQUIRED:
            if name in self.fixed and self.fixed[name] != getattr(RESEARCH_DEFAULT, name):
                fixed, default = self.fixed[name], getattr(RESEARCH_DEFAULT, name)
                yield f"the research default's `{name}` is {default!r}, but is fixed at {fixed!r}. Search it"

    def _conditions(self) -> Iterator[str]:
        earlier: dict[str, FloatRange | IntRange | Choice] = {}
        for name, entry in self.searched.items():
            for other, values in entry.when.items():
                if other not in earlier:
                    yield f"`{name}` hangs on `{other}`, which must be a searched param above it"
                elif not all(earlier[other].holds(value) for value in values):
                    yield f"`{name}` hangs on {other} in {values}, outside {describe(earlier[other])}"
            earlier[name] = entry


def load_space(name: str) -> Space:
    """Load a space by name (from ``search_spaces/``) or by path.

    Raises:
        ExperimentError: With every broken rule of the file in one line.
    """
    path = find_file(name, "search_spaces")
    content = load_yaml(path)
    if not content:
        raise ExperimentError(f"{path} is empty. Give it a `params:` mapping.")
    return validate(Space, content, str(path))


def describe(entry: FloatRange | IntRange | Choice) -> str:
    """A distribution in a few words, for messages."""
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
        raise ValueError(f"`low` must be above 0 where `log` is true, but got {low:g}")
