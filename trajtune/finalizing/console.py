"""What finalize shows on a terminal: a bar while models are trained, and the verdict as a panel."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from trajtune.finalizing.evaluate.decide import FAILED, PASSED
from trajtune.finalizing.report.verdict import SHIP, closing, gate_limit, gate_value, measured_gate
from trajtune.notebook import is_notebook
from trajtune.page.format import words

_COLOURS: Final = {PASSED: "green", FAILED: "red"}
"""Colours of gates by their result; any other result is yellow."""


@contextmanager
def training_bar(name: str, done: int, total: int) -> Iterator[Callable[[], None]]:
    """Show on a terminal how many of ``total`` trainings are done; yields the function that counts one.

    Lines that are printed to stderr meanwhile appear above the bar.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=total, completed=done)
        yield lambda: bar.advance(task)


def print_verdict(metrics: Mapping[str, Any], say: Callable[[str], None] | None) -> None:
    """Show the gates, the verdict and the next step.

    Args:
        metrics: Content of ``metrics.json``.
        say: Receives a line for each; None: they go to stderr, on a terminal as a panel.
    """
    verdict, step = closing(metrics)
    if say is not None or not sys.stderr.isatty():
        for line in (*gate_lines(metrics["gates"]), verdict, step):
            (say or _print)(line)
        return
    from rich.console import Console, Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    results = {gate["result"] for gate in metrics["gates"].values()}
    colour = "green" if verdict == SHIP else "red" if FAILED in results else "yellow"
    for name, gate in metrics["gates"].items():
        result = Text(gate["result"], style=_COLOURS.get(gate["result"], "yellow"))
        value, limit = gate_value(name, gate["value"]).text, gate_limit(name, gate["limit"]).text
        table.add_row(words(name), result, value, limit)
    content = Group(table, "", Text(verdict, style=f"bold {colour}"), Text(step))
    Console(stderr=True, highlight=False).print(Panel(content, title="verdict", border_style=colour))


def gate_lines(gates: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each gate, with its value and limit in their unit."""
    lines = []
    for name, gate in gates.items():
        result = "FAILED" if gate["result"] == FAILED else gate["result"]
        lines.append(f"gate {words(name):<16} {result:<14}   {measured_gate(name, gate)}")
    return lines


def _print(line: str) -> None:
    # A notebook shows stderr in red.
    print(line, file=sys.stdout if is_notebook() else sys.stderr)
