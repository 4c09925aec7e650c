"""Coverage and size of title sets, compared with values computed by hand."""

import numpy as np

from tests.support.predictions import predictions
from trajtune.finalizing.evaluate.title_sets import evaluate_sets
from trajtune.finalizing.export.graph_predictions import GraphPredictions


def test_a_set_contains_the_titles_up_to_its_size() -> None:
    graph = GraphPredictions(predictions([1, 3, 3, 0]), np.ones(4, np.float32), np.array([1, 2, 3, 100]))
    segments = {"way": np.array(["a", "a", "b", "b"])}
    assert evaluate_sets(graph, segments) == {
        "num": 4,
        "coverage": 0.5,
        "mean_size": 26.5,
        "segments": {
            "way": [
                {"segment": "a", "num": 2, "coverage": 0.5, "mean_size": 1.5},
                {"segment": "b", "num": 2, "coverage": 0.5, "mean_size": 51.5},
            ]
        },
    }


def test_a_graph_without_sets_gives_no_metrics_of_sets() -> None:
    graph = GraphPredictions(predictions([1, 2]), np.ones(2, np.float32))
    assert evaluate_sets(graph, {}) is None
