"""What notebooks show: tables in HTML, and nothing where there is no notebook."""

import sys
import types
from typing import Any

import pytest

from trajtune.notebook import LiveDisplay, html_bar, html_table, is_notebook


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """A stand-in for IPython in a notebook's kernel; gives what was displayed and updated."""
    done: list[tuple[str, str]] = []

    class Handle:
        def update(self, html: str) -> None:
            done.append(("update", html))

    def display(html: str, *, display_id: bool) -> Handle:
        done.append(("display", html))
        return Handle()

    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    in_display: Any = types.ModuleType("IPython.display")
    in_display.HTML, in_display.display = str, display
    ipython.display = in_display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", in_display)
    return done


def test_a_program_and_a_terminal_of_ipython_are_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not is_notebook()
    for shell in (None, types.SimpleNamespace()):
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda s=shell: s))  # type: ignore[misc]
        assert not is_notebook()


def test_a_display_is_replaced_in_its_cell(kernel: list[tuple[str, str]]) -> None:
    assert is_notebook()
    display = LiveDisplay()
    display.show("a")
    display.show("b")
    assert kernel == [("display", "a"), ("update", "b")]


def test_content_is_escaped() -> None:
    assert "<script>" not in html_table("<script>", ["<script>"], [["<script>"]])
    assert "<script>" not in html_bar(1, 2, "<script>")
    assert "value" not in html_bar(1, None)


def test_reading_shows_a_bar_in_a_notebook(kernel: list[tuple[str, str]]) -> None:
    from trajtune.careers.read import _progress_bar

    with _progress_bar(True, 2) as advance:
        advance(1)
    with _progress_bar(False, 2) as advance:
        advance(1)
    assert [kind for kind, _ in kernel] == ["display", "update"]
    assert 'value="1" max="2"' in kernel[-1][1]
