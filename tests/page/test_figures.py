import plotly.graph_objects as go
import pytest

from trajtune.page.colours import NAMED, TEST, TRAIN
from trajtune.page.figures import TRACES, content_of, library


def test_a_trace_that_is_named_after_a_thing_has_its_colour() -> None:
    figure = go.Figure([go.Bar(name="train", x=[1], y=[1]), go.Scatter(name="test", x=[1], y=[1])])
    figure.add_scatter(name="best so far (trial 3)", x=[1], y=[1])
    bar, line, best = content_of(figure)["data"]
    assert bar["marker"]["color"] == TRAIN
    assert (line["line"]["color"], line["marker"]["color"]) == (TEST, TEST)
    assert best["line"]["color"] == NAMED["best so far"]


def test_a_trace_that_the_page_cannot_draw_is_refused_when_it_is_written() -> None:
    figure = go.Figure(go.Scatter3d(x=[1], y=[1], z=[1]))
    with pytest.raises(ValueError, match="must have traces of scatter, bar.*, but has scatter3d"):
        content_of(figure)


def test_the_librarys_licence_and_every_kind_of_trace_are_in_the_page() -> None:
    text = library()
    assert "Licensed under the MIT license" in text[:300]
    assert "</script" not in text
    for kind in TRACES:
        assert f'name:"{kind}"' in text or f"name:'{kind}'" in text
