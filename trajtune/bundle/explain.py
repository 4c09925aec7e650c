"""Explain a prediction by occlusion: compare it with the prediction without each role of the career.

Needs only numpy and onnxruntime, like `trajtune.bundle.bundle`.
"""

# T roles of the career, V titles

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.bundle import CELLS, Bundle
from trajtune.bundle.graph import Graph
from trajtune.bundle.prediction import Prediction


@dataclass(frozen=True)
class Contribution:
    """The contribution of one role of the career.

    Attributes:
        title: Title of the role, as given.
        without: Probability (0..1, before calibration) of the predicted title for the career without this
            role; None: it is the only role.
        contribution: Increase of that probability by the role; negative: a decrease.
    """

    title: str
    without: float | None
    contribution: float | None


@dataclass(frozen=True)
class Explanation:
    """A prediction and the contribution of each role to it.

    Attributes:
        prediction: Prediction for the complete career.
        probability: Probability of the predicted title, before calibration, 0..1.
        contributions: One contribution per role, oldest first. They need not add up, because roles interact.
    """

    prediction: Prediction
    probability: float
    contributions: tuple[Contribution, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as JSON values, without the prediction.

        Returns:
            ``probability`` and ``contributions``, with their fields by name.
        """
        return {
            "probability": self.probability,
            "contributions": [asdict(contribution) for contribution in self.contributions],
        }


def explain(bundle: Bundle, career: Sequence[str]) -> Explanation:
    """Predict the next role of a career, with and without each of its roles.

    Args:
        bundle: Open bundle.
        career: Titles of the career, oldest first.

    Returns:
        The prediction and the contribution of each role to it.

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
    """Return the change of one title's probability by each role.

    Args:
        graph: Model.
        career: Titles ``[T]``.
        ids: Indices of the titles ``[T]``.
        predicted: Index of the title whose probability is compared.
        probability: Probability of that title for the complete career, 0..1.
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


def _softmax(logits_TV: NDArray[np.floating]) -> NDArray[np.float64]:  # noqa: N803 - a tensor suffix
    powers = np.exp(logits_TV.astype(np.float64) - logits_TV.max(1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return shares
