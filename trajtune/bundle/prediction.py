"""The prediction for one career, and a list of predictions."""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from trajtune.notebook import html_table

if TYPE_CHECKING:
    import pandas as pd

LOW_CONFIDENCE: Final = 0.6
"""Calibrated confidence below which the service flags a prediction."""

ABSTAINED: Final = ("unknown_titles", "abstained")
"""Fields of a prediction for a career without a known title."""

_SHOWN_IN_NOTEBOOK: Final = 20  # predictions


@dataclass(frozen=True)
class Prediction:
    """The prediction for one career.

    Attributes:
        next_role: Most probable next title, in its readable form.
        confidence: Calibrated probability that the next title is correct, 0..1.
        low_confidence: Whether the confidence is below `LOW_CONFIDENCE`, as the service flags it.
        top5: Titles and their uncalibrated probabilities, best first; never the unknown title.
        tenure_min_months: Lower end of the tenure interval, in months.
        tenure_max_months: Upper end of the tenure interval, in months.
        shown_min_months: Lower end as the service shows it: rounded, at least 1.
        shown_max_months: Upper end as the service shows it: rounded, at least the lower end.
        hireability: Probability of hireability, 0..1.
        shown_hireability: Hireability as the service shows it: 0..100, rounded.
        unknown_titles: Titles of the career that are not in the vocabulary.
        service_sees: Titles of the career that the TypeScript service resolves differently, each with the
            title that the service finds; None: it finds none.
        title_set: Smallest set of next titles that contains the true title with the probability set for
            finalize, best first; empty if the bundle has no sets.
        abstained: Whether no title of the career is known. The other fields are then not a prediction, and
            `to_dict` and ``trajtune predict`` leave them out.
    """

    next_role: str
    confidence: float
    low_confidence: bool
    top5: tuple[tuple[str, float], ...]
    tenure_min_months: float
    tenure_max_months: float
    shown_min_months: int
    shown_max_months: int
    hireability: float
    shown_hireability: int
    unknown_titles: tuple[str, ...]
    service_sees: tuple[tuple[str, str | None], ...] = ()
    title_set: tuple[str, ...] = ()
    abstained: bool = False

    def __repr__(self) -> str:
        if self.abstained:
            return "<Prediction: none, because no title of the career is known>"
        tenure = f"{self.shown_min_months} to {self.shown_max_months} months"
        return f"<Prediction {self.next_role} ({self.confidence:.0%}), {tenure}>"

    def _repr_html_(self) -> str:
        rows = [] if self.abstained else [(title, f"{share:.1%}") for title, share in self.top5]
        return html_table(repr(self)[1:-1], ["title", "before calibration"], rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON values.

        Returns:
            The fields by name; only ``unknown_titles`` and ``abstained`` for a career without a known title.
        """
        fields = asdict(self)
        return {name: fields[name] for name in ABSTAINED} if self.abstained else fields


class PredictionList(list[Prediction]):
    """Predictions in the order of the careers, which can be turned into a data frame."""

    def to_frame(self) -> "pd.DataFrame":
        """The predictions as rows.

        Returns:
            A column for each field of `Prediction`; of a career without a known title, ``unknown_titles`` and
            ``abstained`` alone have a value.
        """
        import pandas as pd

        names = [field.name for field in fields(Prediction)]
        return pd.DataFrame([prediction.to_dict() for prediction in self], columns=names)

    def _repr_html_(self) -> str:
        header = ["next role", "confidence", "tenure in months", "hireability", "unknown titles"]
        rows = [
            ("none", "", "", "", ", ".join(each.unknown_titles))
            if each.abstained
            else (
                each.next_role,
                f"{each.confidence:.0%}",
                f"{each.shown_min_months} to {each.shown_max_months}",
                f"{each.shown_hireability}",
                ", ".join(each.unknown_titles),
            )
            for each in self[:_SHOWN_IN_NOTEBOOK]
        ]
        return html_table(f"{len(self):,} predictions", header, rows)
