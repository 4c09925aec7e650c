"""How results are written: for programs and for people."""

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trajtune.bundle.explain import Explanation
    from trajtune.bundle.outcomes import Outcomes
    from trajtune.bundle.prediction import Prediction

_SHOWN_IN_SET: Final = 10


def as_json_text(content: object) -> str:
    """Indented JSON."""
    return json.dumps(content, ensure_ascii=False, indent=2)


def describe(prediction: "Prediction", outcomes: "Outcomes") -> str:
    """A prediction for people, with the numbers that the service would show."""
    flag = " (low)" if prediction.low_confidence else ""
    others = [f"    {probability:6.1%}  {title}" for title, probability in prediction.top5]
    same = " (the same for every career: training knew no {})"
    tenure = f"{prediction.shown_min_months} to {prediction.shown_max_months} months"
    return "\n".join(
        [
            f"Next role     {prediction.next_role}",
            f"Confidence    {prediction.confidence:.0%}{flag}",
            f"Tenure        {tenure}{same.format('tenure') if outcomes.tenure_is_prior else ''}",
            _hireability(outcomes, prediction.shown_hireability)
            + (same.format("outcome") if outcomes.hireability_is_prior else ""),
            *_title_set(prediction),
            "Top five, before calibration",
            *others,
        ]
    )


def describe_abstention(outcomes: "Outcomes") -> str:
    """Why there is no prediction, and the averages over all roles in training."""
    lines = ["No prediction: the model knows none of these titles."]
    if outcomes.tenure_months is not None and outcomes.hireability is not None:
        low, high = (round(months) for months in outcomes.tenure_months)
        lines += [
            "Averages over all careers in training:",
            f"Tenure        {low} to {high} months",
            _hireability(outcomes, round(100 * outcomes.hireability)),
        ]
    return "\n".join(lines)


def _hireability(outcomes: "Outcomes", shown: int) -> str:
    if outcomes.stays_months is None:
        return f"Hireability   {shown} of 100"
    return f"{f'Stays {outcomes.stays_months}+ months':<13} {shown}%"


def _title_set(prediction: "Prediction") -> list[str]:
    """The set of next titles in a line; none if the bundle has no sets."""
    titles = prediction.title_set
    if not titles:
        return []
    more = f" and {len(titles) - _SHOWN_IN_SET} more" if len(titles) > _SHOWN_IN_SET else ""
    return [f"Likely set    {', '.join(titles[:_SHOWN_IN_SET])}{more}"]


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
