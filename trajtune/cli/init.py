"""``trajtune init``: propose settings for a database, ask the user, and write an experiment file."""

import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajtune.cli.arguments import database_url
from trajtune.errors import ExperimentError, SourceError
from trajtune.stages import loading

if TYPE_CHECKING:
    from trajtune.careers.init.proposal import Proposal


def init(
    file: Annotated[Path, typer.Argument(help="The experiment file to write. It must not exist.")] = Path(
        "experiment.yaml"
    ),
    table: Annotated[
        str | None, typer.Option(help="Use this table. Default: the one that fits best.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="Inspect files instead: CSV, JSON, JSON lines, Parquet; a directory, a glob, s3://.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the proposal without questions.")] = False,
) -> None:
    """Inspect the database in POSTGRES_URL, or files, and write an experiment file for them.

    Reads names, types and a sample of at most 1,000 rows, and tests the proposal on them. Shows no values.

    Example: trajtune init experiment.yaml --from careers.jsonl --yes
    """
    with loading():
        from trajtune.careers.init.experiment_file import SCHEMA_FILE, experiment_text
        from trajtune.careers.init.propose import propose, propose_files
        from trajtune.careers.init.trial import try_proposal
        from trajtune.experiment.json_schema import experiment_schema
        from trajtune.experiment.load import load_experiment
        from trajtune.experiment.settings import DataSettings

    url = database_url() if source is None else ""
    _check_free(file)
    if not yes and not sys.stdin.isatty():
        raise ExperimentError(
            "Questions need a terminal, but there is none. Give --yes to accept the proposal, and --table to "
            "choose."
        )
    proposals = propose(url) if source is None else propose_files(source)
    if table is not None:
        proposals = _with_table(table, proposals)
    proposal = proposals[0] if yes or len(proposals) == 1 else _chosen(proposals)
    _show(proposal)
    if not yes:
        proposal = _confirmed(proposal)
    day_first = None
    if proposal.has_ambiguous_dates:
        day_first = None if yes else _day_first()
    if proposal.has_ambiguous_dates and day_first is None:
        typer.echo(
            "Warning: some dates are ambiguous, with the day or the month first. Set `data.day_first` in "
            f"{file}, or they go to quarantine.",
            err=True,
        )
    tried = try_proposal(proposal, DataSettings(day_first=day_first), date.today()).sentence
    for sentence in (*proposal.notes, tried):
        typer.echo(f"Note: {sentence}", err=True)
    others = [other for other in proposals if other.place != proposal.place]
    text = experiment_text(proposal, others, name=str(file), day_first=day_first, notes=[tried])
    _write(file, text)
    schema = file.with_name(SCHEMA_FILE)
    if not schema.exists():
        _write(schema, json.dumps(experiment_schema(), indent=2, ensure_ascii=False) + "\n")
    load_experiment(str(file))
    print(file)


def _check_free(file: Path) -> None:
    if file.suffix not in {".yaml", ".yml"}:
        raise ExperimentError(f"An experiment file must end in .yaml, but got {file}. Give another name.")
    if file.exists():
        raise ExperimentError(f"{file} exists, and is not overwritten. Give another name.")
    if not file.parent.is_dir():
        raise ExperimentError(f"There is no directory {file.parent}. Create it, or give another path.")


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise ExperimentError(f"Cannot write {file}: {error.strerror}. Give another path.") from error


def _with_table(table: str, proposals: Sequence["Proposal"]) -> "list[Proposal]":
    """The proposals with that table's first."""
    from trajtune.careers.sources.column_names import nearest

    first = [proposal for proposal in proposals if proposal.place == table]
    if not first:
        tables = [proposal.place for proposal in proposals]
        raise SourceError(
            f"No table {table} with work histories is in this database. {nearest(table, tables)}"
        )
    return [*first, *(proposal for proposal in proposals if proposal.place != table)]


def _chosen(proposals: Sequence["Proposal"]) -> "Proposal":
    typer.echo("These tables may contain careers, the most likely first:", err=True)
    for number, proposal in enumerate(proposals, start=1):
        layout = "one JSON list per person" if proposal.source.layout.layout == "json" else "one row per role"
        rows = f", about {proposal.num_rows:,} rows" if proposal.num_rows else ""
        typer.echo(f"  {number}  {proposal.place} ({layout}{rows})", err=True)
    while not 1 <= (number := typer.prompt("Which number", type=int, default=1, err=True)) <= len(proposals):
        typer.echo(f"Enter a number from 1 to {len(proposals)}.", err=True)
    return proposals[number - 1]


def _show(proposal: "Proposal") -> None:
    word = "Table" if proposal.source.kind == "postgres" else "Files"
    typer.echo(f"{word} {proposal.place}:", err=True)
    for setting, name in proposal.source.layout.model_dump().items():
        if name is not None and setting not in {"layout", "end"}:
            shape = proposal.shapes.get(setting, "")
            typer.echo(f"  {setting:<15} {name}{f'  ({shape})' if shape else ''}", err=True)


def _confirmed(proposal: "Proposal") -> "Proposal":
    """Return the proposal, or the user's answers setting by setting."""
    from dataclasses import replace

    from trajtune.experiment.load import did_you_mean

    if typer.confirm("Write this", default=True, err=True):
        return proposal
    answers = {}
    for setting, names in proposal.choices.items():
        before = getattr(proposal.source.layout, setting)
        while True:
            answer = typer.prompt(setting, default=before or "null", err=True)
            if answer in names or (answer == "null" and (before is None or setting.startswith("current"))):
                break
            typer.echo(
                f"{answer} does not exist. {did_you_mean(answer, names)}"
                f"Existing names: {', '.join(names[:30])}.",
                err=True,
            )
        answers[setting] = None if answer == "null" and answer not in names else answer
    layout = proposal.source.layout.model_copy(update=answers)
    shapes = {
        setting: shape
        for setting, shape in proposal.shapes.items()
        if answers.get(setting) in (None, getattr(proposal.source.layout, setting))
    }
    return replace(proposal, source=proposal.source.model_copy(update={"layout": layout}), shapes=shapes)


def _day_first() -> bool | None:
    typer.echo("Some dates are ambiguous. Is 03/04/2020 the third of April or the fourth of March?", err=True)
    answer = typer.prompt("april, march or unknown", default="unknown", err=True).strip().lower()
    return {"april": True, "march": False}.get(answer)
