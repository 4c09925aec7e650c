"""What each role of a career contributes to a prediction, by occlusion: the prediction without that role.

Like `trajtune.bundle.bundle`, this needs only numpy and onnxruntime.
"""

# T roles of the career, V titles

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.bundle import CELLS, Bundle, Prediction
from trajtune.bundle.graph import Graph


@dataclass(frozen=True)
class Contribution:
    """One role of the career.

    Attributes:
        title: The title as it was given.
        without: Probability (0..1, before calibration) of the predicted title in the career without this
            role; None: without it no career is left.
        contribution: How much the role raises that probability; below 0: it lowers it.
    """

    title: str
    without: float | None
    contribution: float | None


@dataclass(frozen=True)
class Explanation:
    """A prediction, and what each role contributes to it.

    Attributes:
        prediction: Prediction for the complete career.
        probability: Probability of the predicted title, before calibration, 0..1.
        contributions: One for each role, oldest first. They need not add up: roles interact.
    """

    prediction: Prediction
    probability: float
    contributions: tuple[Contribution, ...]

    def to_dict(self) -> dict[str, Any]:
        """The explanation as JSON values, without the prediction.

        Returns:
            ``probability`` and ``contributions``, their fields by name.
        """
        return {
            "probability": self.probability,
            "contributions": [asdict(contribution) for contribution in self.contributions],
        }


def explain(bundle: Bundle, career: Sequence[str]) -> Explanation:
    """Predict what comes next in a career, and again without each of its roles.

    Args:
        bundle: The model.
        career: Titles, oldest first.

    Returns:
        The prediction, and what each role contributes to it.

    Raises:
        BundleError: If it is not a career.
    """
    (prediction,) = bundle.predict([career])
    ids = bundle.encode(career)
    probability = prediction.top5[0][1]
    predicted = bundle.encoder.encode(prediction.next_role)
    return Explanation(
        prediction, probability, contributions(bundle.graph, career, ids, predicted, probability)
    )


def contributions(
    graph: Graph, career: Sequence[str], ids: Sequence[int], predicted: int, probability: float
) -> tuple[Contribution, ...]:
    """How the probability of one title changes without each role.

    Args:
        graph: The model.
        career: Titles ``[T]``.
        ids: Their indices ``[T]``.
        predicted: Index of the title whose probability is compared.
        probability: That probability for the complete career, 0..1.
    """
    if len(ids) == 1:
        return (Contribution(career[0], None, None),)
    without = [[*ids[:role], *ids[role + 1 :]] for role in range(len(ids))]
    at_once = max(1, CELLS // len(ids))
    left: list[float] = []
    for first in range(0, len(ids), at_once):
        shorter = np.array(without[first : first + at_once], np.int64)
        lengths = np.full(len(shorter), len(ids) - 1, np.int64)
        logits = graph.run(shorter, lengths, ["next_role_logits"])["next_role_logits"]
        left += _softmax(logits)[:, predicted].tolist()
    return tuple(
        Contribution(title, value, probability - value) for title, value in zip(career, left, strict=True)
    )


def _softmax(logits_TV: NDArray[np.floating]) -> NDArray[np.float64]:  # noqa: N803 - named by its shape
    powers = np.exp(logits_TV.astype(np.float64) - logits_TV.max(1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return shares
