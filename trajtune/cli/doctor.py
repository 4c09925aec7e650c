"""``trajtune doctor``: compare a run's files with its study, and repair them."""

from typing import Annotated

import typer

from trajtune.cli.arguments import AsJson, RunName
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def doctor(
    run: RunName = None,
    repair: Annotated[bool, typer.Option("--repair", "--mend", help="Repair what can be repaired.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where a run's files disagree with its study, which is the record.

    Example: trajtune doctor --repair
    """
    with loading(shown=not as_json):
        from trajtune.searching.runs.directory import open_run
        from trajtune.searching.runs.doctor import examine, fix

    opened = open_run(run)
    findings = examine(opened)
    left = fix(opened, findings) if repair else findings
    state = ["left" if finding in left else "repaired" for finding in findings]
    if as_json:
        shown = [
            {"state": now, "what": finding.what, "remedy": finding.remedy}
            for now, finding in zip(state, findings, strict=True)
        ]
        print(as_json_text({"run": opened.name, "findings": shown}))
    else:
        for now, finding in zip(state, findings, strict=True):
            print(f"{now}: {finding.what}; {finding.remedy}")
        if not findings:
            print(f"{opened.name}: study and files agree")
    raise typer.Exit(2 if left else 0)
