"""A prediction as JSON values: what ``trajtune predict --json`` prints and ``trajtune serve`` sends."""

from typing import Any

from trajtune.bundle.explain import Explanation
from trajtune.bundle.outcomes import Outcomes
from trajtune.bundle.prediction import Prediction


def answer_of(
    prediction: Prediction, outcomes: Outcomes, explanation: Explanation | None = None
) -> dict[str, Any]:
    """The fields of a prediction, with the priors in place of a prediction that is not given.

    Args:
        prediction: The prediction.
        outcomes: What the bundle's tenure and hireability stand for, see `Bundle.outcomes`.
        explanation: Its explanation, if one was asked for.

    Returns:
        The fields by name, ``explanation`` among them if there is one; of a career without a known title
        ``unknown_titles``, ``abstained`` and ``priors``.
    """
    if prediction.abstained:
        return {**prediction.to_dict(), "priors": outcomes.to_dict()}
    reasons = {} if explanation is None else {"explanation": explanation.to_dict()}
    return {**prediction.to_dict(), **reasons}
