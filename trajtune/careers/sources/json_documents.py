"""Read JSON files that are not JSON lines: arrays, and objects over any number of lines.

One task loads a whole document, so a file larger than a task's memory must be written as JSON lines.
"""

import json
import os.path
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs

from trajtune.careers.nested_keys import list_at
from trajtune.careers.sources.find_files import compression
from trajtune.errors import SourceError

_SNIFFED: Final = 1 << 16
_BLOCK_CHARACTERS: Final = 16 << 20
_BLANKS: Final = " \t\r\n\ufeff"
_DECODER: Final = json.JSONDecoder(strict=False)


def holds_documents(filesystem: pyarrow.fs.FileSystem, path: str) -> bool:
    """Return whether a JSON file is an array, or begins with an object that spans several lines."""
    with filesystem.open_input_stream(path, compression=compression(path)) as stream:
        head = str(stream.read(_SNIFFED), "utf-8", "replace").lstrip(_BLANKS)
    first = head.partition("\n")[0].rstrip()
    if not first.startswith("{"):
        return first.startswith("[")
    return first != head.rstrip() and first.endswith(("{", "[", ",", ":"))


def document_blocks(filesystem: pyarrow.fs.FileSystem, path: str, rows_key: str | None) -> Iterator[pa.Table]:
    """Yield the objects of a file in blocks, as JSON texts in a column ``line``.

    Args:
        filesystem: The file system of the file.
        path: Path of the file, which may be compressed.
        rows_key: Path of keys to the array in each document; None: the document itself.

    Raises:
        SourceError: If the file is not UTF-8, an array is broken, or there is no array at ``rows_key``.
    """
    with filesystem.open_input_stream(path, compression=compression(path)) as stream:
        content = stream.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{path} is not UTF-8. Write it as UTF-8.") from None
    for block in _blocks(documents(text, path, rows_key)):
        lines = (line.encode("utf-8", "replace").decode() for line in block)
        yield pa.table({"line": pa.array(lines, pa.string())})


def common_directory(paths: Sequence[str]) -> str:
    """Return the deepest common directory of all files, with a final slash unless it is empty."""
    directory = os.path.commonpath([os.path.dirname(path) for path in paths])
    return f"{directory}/" if directory else ""


def below(path: str, base: str) -> str:
    """Return a path relative to ``base``; Ray may have added a scheme to the path."""
    return path.partition(base)[2] if base and base in path else path


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    block: list[str] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size >= _BLOCK_CHARACTERS:
            yield block
            block, size = [], 0
    yield block


def documents(text: str, path: str, rows_key: str | None = None) -> Iterator[str]:
    """Yield the text of each object in a JSON text: elements of arrays, and consecutive objects.

    A line that should begin with an object but does not is yielded unchanged, and is quarantined later.

    Args:
        text: Content of the file.
        path: Name of the file, for errors.
        rows_key: See `document_blocks`.

    Raises:
        SourceError: If an array is broken, or there is no array at ``rows_key``.
    """
    at = _skip(text, 0)
    while at < len(text):
        if text[at] == "[" and rows_key is None:
            at = yield from _elements(text, at, path)
        else:
            end = _end_of_value(text, at)
            if end is None:
                end = text.find("\n", at)
                end = len(text) if end < 0 else end
            yield from [text[at:end]] if rows_key is None else _rows_of(text[at:end], path, rows_key)
            at = end
        at = _skip(text, at)


def _rows_of(text: str, path: str, rows_key: str) -> list[str]:
    try:
        document = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is not JSON: {error}. Fix that file.") from None
    rows: Any = list_at(document, rows_key)
    if not isinstance(rows, list):
        keys = ", ".join(list(document)[:30]) if isinstance(document, dict) else "no object"
        raise SourceError(
            f"`source.rows_key` {rows_key} must lead to an array, but does not in {path}. There are: {keys}."
        )
    return [json.dumps(row, ensure_ascii=False) for row in rows]


def _elements(text: str, at: int, path: str) -> Generator[str, None, int]:
    """Yield the elements of the array at ``at``; return its end."""
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        end = _end_of_value(text, at)
        following = _skip(text, len(text) if end is None else end)
        if end is None or text[following : following + 1] not in ("]", ","):
            line = text.count("\n", 0, at) + 1
            raise SourceError(f"{path} is not JSON: the array breaks off at line {line}. Fix that file.")
        yield text[at:end]
        at = _skip(text, following + 1) if text[following] == "," else following
    return at + 1


def _end_of_value(text: str, at: int) -> int | None:
    try:
        return _DECODER.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return None


def _skip(text: str, at: int) -> int:
    """Return the first position from ``at`` on that is not blank."""
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
