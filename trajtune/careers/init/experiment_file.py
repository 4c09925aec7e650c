"""A proposal as an experiment file that people read and change: comments, and a schema for their editor.

Holds names and shapes, no value of a row and nothing of the database's URL.
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
# See what it makes of the rows: trajtune prepare {name}
# Then: trajtune search {name}
source:
"""
_DATA: Final = """
data:
  as_of: auto # the day the data describes: the latest date in it
  # What 03/04/2020 is: true 3 April, false 4 March; null: dates with two readings go to quarantine.
{ambiguous}  day_first: {day_first}
  hireable_key: null # a column or key that labels hireability; null: stayed at least `hireable_months`
  hireable_months: 12

split:
  train_cutoff: auto # careers that are older train; auto: 70 % of them, by the last thing known of each
  val_cutoff: auto # then val, and the rest is the test; auto: up to 85 %

search:
  space: around_default # a name in search_spaces/, or the path of a file of your own
  trials: 50
"""
_WARNING: Final = (
    "  # DECIDE THIS: sampled dates can be read both ways. Without an answer they all go to quarantine.\n"
)


def experiment_text(
    proposal: Proposal,
    others: Sequence[Proposal],
    *,
    name: str,
    day_first: bool | None,
    notes: Sequence[str] = (),
) -> str:
    """The file's text.

    Args:
        proposal: What the experiment reads.
        others: Other proposals; named in a comment.
        name: Name of the file, for the commands that it shows.
        notes: Further sentences, for comments: how it was tried.
        day_first: The user's answer where dates are ambiguous; None if there is none.
    """
    rows = f"about {proposal.num_rows:,} rows" if proposal.num_rows else ""
    beside = f"may hold careers, too: {', '.join(_plain(other.place) for other in others)}"
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
    "history_key": "where the list lies in a JSON object, for example profile.jobs; null: the list itself",
}


def _line(key: str, value: str | None, comment: str) -> str:
    return f"{key}: {_scalar(value)}{f' # {_plain(comment)}' if comment else ''}\n"


def _scalar(value: str | None) -> str:
    """A name as YAML on one line; quoted as JSON, which YAML includes, unless it is a plain word."""
    if value is None:
        return "null"
    is_word = value.isascii() and value.replace(".", "_").isidentifier()
    if is_word and value.lower() not in _YAML_WORDS:
        return value
    # YAML has no pairs of surrogates, which JSON escapes an emoji to; what does not print is escaped.
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


_YAML_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def _plain(text: str) -> str:
    """On one line, whatever a name holds."""
    return "".join(character if character.isprintable() else "?" for character in text)
