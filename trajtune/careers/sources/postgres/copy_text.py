r"""Parse the text format of PostgreSQL's COPY: tabs, ``\N`` for null, backslash escapes."""

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANING: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse_lines(lines: bytes, names: Sequence[str]) -> pa.Table:
    """Parse complete lines into string columns.

    Args:
        lines: UTF-8 text; each line ends with a line break.
        names: Names of the columns.
    """
    table = pyarrow.csv.read_csv(
        pa.BufferReader(lines),
        pyarrow.csv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(lines)),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[r"\N"], strings_can_be_null=True
        ),
    )
    if b"\\" not in lines:
        return table
    return pa.table([_unescape(column.combine_chunks()) for column in table.columns], list(names))


def _unescape(texts: pa.Array) -> pa.Array:
    escaped = pc.match_substring(texts, "\\")
    if not pc.any(escaped).as_py():
        return texts
    # A doubled backslash is by far the most frequent escape. If it is the only one, replacing it is enough.
    others = pc.match_substring(pc.replace_substring(texts, r"\\", ""), "\\")
    if not pc.any(others).as_py():
        return pc.replace_substring(texts, r"\\", "\\")
    unescaped = [None if text is None else _ESCAPE.sub(_meaning, text) for text in texts.to_pylist()]
    return pa.array(unescaped, pa.string())


def _meaning(match: re.Match[str]) -> str:
    return _MEANING.get(match[1], match[1])
