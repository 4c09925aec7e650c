"""Write a proposal as an experiment file with comments and a schema for editors.

The file contains names and shapes, but no values of rows and no part of the database's URL.
"""

import json
from collections.abc import Sequence
from typing import Final

from trajtune.careers.init.proposal import Proposal
from trajtune.experiment.sources import FileSource

SCHEMA_FILE: Final = "experiment.schema.json"

_HEAD: Final = """\
# yaml-language-server: $schema={schema}
# Proposed by `trajtune init` for {where}, from names, types and a sample of the rows.
# Check how its rows are read: trajtune prepare {name}
# Then: trajtune search {name}
source:
"""
_DATA: Final = """
data:
  as_of: auto # the day that the data describes; auto: the latest date in it
  # 03/04/2020 is 3 April if true, 4 March if false. null: ambiguous dates go to quarantine.
{ambiguous}  day_first: {day_first}
  hireable_key: null # column or key with the hireability label; null: stayed `hireable_months` or more
  hireable_months: 12

split:
  train_cutoff: auto # first day that is not train; auto: 70 % of the careers are older
  val_cutoff: auto # first day of test; auto: 85 % of the careers are older

search:
  space: around_default # a name in search_spaces/, or the path of your own file
  trials: 50
"""
_WARNING: Final = (
    "  # DECIDE THIS: some sampled dates are ambiguous. Without an answer they go to quarantine.\n"
)


def experiment_text(
    proposal: Proposal,
    others: Sequence[Proposal],
    *,
    name: str,
    day_first: bool | None,
    notes: Sequence[str] = (),
) -> str:
    """Return the file's text.

    Args:
        proposal: Source and layout of the experiment.
        others: Other proposals, which a comment names.
        name: Name of the file, for the commands in its comments.
        notes: Further sentences for comments, for example the result of the test.
        day_first: The user's answer about ambiguous dates; None without an answer.
    """
    rows = f"about {proposal.num_rows:,} rows" if proposal.num_rows else ""
    beside = f"may also contain careers: {', '.join(_plain(other.place) for other in others)}"
    comment = "; ".join(part for part in (rows, beside * bool(others)) if part)
    where = "the database in POSTGRES_URL"
    lines = [f"  # {_plain(note)}\n" for note in (*proposal.notes, *notes)]
    lines.append(f"  kind: {proposal.source.kind}\n")
    if isinstance(proposal.source, FileSource):
        where = "files"
        lines.append(_line("  path", proposal.source.path, comment))
        if proposal.source.rows_key is not None:
            lines.append(_line("  rows_key", proposal.source.rows_key, "the array of rows in the document"))
    else:
        lines.append(_line("  table", proposal.source.table, comment))
    lines.append("  layout:\n")
    for key, value in proposal.source.layout.model_dump(exclude={"end"}).items():
        lines.append(_line(f"    {key}", value, proposal.shapes.get(key, _MEANINGS.get(key, ""))))
    answer = {None: "null", True: "true", False: "false"}[day_first]
    is_open = proposal.has_ambiguous_dates and day_first is None
    return (
        _HEAD.format(schema=SCHEMA_FILE, name=name, where=where)
        + "".join(lines)
        + _DATA.format(ambiguous=_WARNING if is_open else "", day_first=answer)
    )


_MEANINGS: Final = {
    "current_key": "true while a role is held; null: is_current or one of its usual forms",
    "current_column": "true while a role is held; null: is_current if there is such a column",
    "id_column": "null: each file is one person, and its path is the id",
    "history_key": "path to the list in a JSON object, for example profile.jobs; null: the list itself",
}


def _line(key: str, value: str | None, comment: str) -> str:
    return f"{key}: {_scalar(value)}{f' # {_plain(comment)}' if comment else ''}\n"


def _scalar(value: str | None) -> str:
    """Return a name as YAML on one line. Quote it as JSON, which YAML includes, unless it is a plain word."""
    if value is None:
        return "null"
    is_word = value.isascii() and value.replace(".", "_").isidentifier()
    if is_word and value.lower() not in _YAML_WORDS:
        return value
    # JSON escapes an emoji as a pair of surrogates, which YAML lacks. Escape only unprintable characters.
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


_YAML_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def _plain(text: str) -> str:
    """Return a text on one line, whatever it contains."""
    return "".join(character if character.isprintable() else "?" for character in text)
