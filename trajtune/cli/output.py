"""How results are written: for programs and for people."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trajtune.bundle.bundle import Prediction
    from trajtune.bundle.explain import Explanation


def as_json_text(content: object) -> str:
    """Indented JSON."""
    return json.dumps(content, ensure_ascii=False, indent=2)


def describe(prediction: "Prediction") -> str:
    """A prediction for people, as the service would show it."""
    flag = " (low)" if prediction.low_confidence else ""
    others = [f"    {probability:6.1%}  {title}" for title, probability in prediction.top5]
    return "\n".join(
        [
            f"Next role     {prediction.next_role}",
            f"Confidence    {prediction.confidence:.0%}{flag}",
            f"Tenure        {prediction.shown_min_months} to {prediction.shown_max_months} months",
            f"Hireability   {prediction.shown_hireability} of 100",
            "Top five, before calibration",
            *others,
        ]
    )


def describe_reasons(explained: "Explanation") -> str:
    """What each role contributes, for people."""
    rows = explained.contributions
    if rows[0].contribution is None:
        return "Contributions: a single role, and without it there is nothing to predict from."
    return "\n".join(
        [
            f"Points that each role adds to the {explained.probability:.1%} of "
            f"{explained.prediction.next_role}, which the career without it would not have",
            *(f"    {100 * (row.contribution or 0):+6.1f}  {row.title}" for row in rows),
        ]
    )
