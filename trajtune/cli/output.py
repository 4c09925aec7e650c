"""How results are written: for programs and for people."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trajtune.bundle import Prediction


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
