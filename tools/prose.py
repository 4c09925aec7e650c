"""Check that prose is plain English: report idioms that readers stumble over, with a better word.

Prose is every Markdown file, and every docstring, comment, string and test name of the Python files. Add a
rule when a review finds an idiom for the second time. Usage, from the project's root:

    python tools/prose.py [FILE ...]
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

RULES: Final = {
    r"(?<![-\"])\bmend(s|ed|ing)?\b": "fix, repair",
    r"\banew\b": "again",
    r"\baright\b": "correctly",
    r"\bthe whole way\b": "end to end, the pipeline",
    r"\bto the letter\b": "exactly",
    r"\b(in order after|ends? (it )?in order)\b": "cleanly",
    r"\b(is|are|was|were|be) said\b": "is reported, is shown",
    r"\bhow (dear|large, how dear)\b": "cost, size",
    r"\bwould tell\b": "are needed to decide",
    r"\bbelow so (many|few)\b": "with fewer",
    r"\b(go|goes|went|going) on with\b": "continue",
    r"\bspeaks? its language\b": "is compatible",
    r"\bput (it|them|that) back\b": "restore",
    r"\bin mid-(read|copy)\b": "during",
    r"\bfor want of\b": "because there is no",
    r"\bsave for\b": "except",
    r"\b(goes?|went|going) on\b(?! with)": "continue",
    r"\btold apart\b": "distinguish",
    r"\bwhat is true of\b": "averages over, facts about",
    r"\bis no \w+ of\b": "is not",
}
"""Regular expressions, without regard to case, and what to write instead."""

DOCSTRING_RULES: Final = {
    r"^(Of|As|By|Its|Whose) [^.]{0,60}\.$": "a sentence or a noun phrase",
}
"""Rules for the first line of a docstring."""

_NOT_PROSE: Final = ("tools/prose.py", "tests/project/test_prose.py")


def main(arguments: list[str]) -> int:
    """Print each finding as ``file:line: found: write instead``; the exit code is 1 if there is one."""
    found = [line for file in files(arguments) for line in findings(file)]
    print("\n".join(found) if found else "Prose: no banned idiom.")
    return bool(found)


def files(arguments: list[str]) -> Iterator[Path]:
    """The files named, or every Markdown and Python file that git knows."""
    if not arguments:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md", "*.py"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
        arguments = [name for name in listed.stdout.splitlines() if name not in _NOT_PROSE]
    yield from (path for name in arguments if (path := Path(name)).is_file())


def findings(file: Path) -> Iterator[str]:
    """Each banned idiom of a file."""
    content = file.read_text("utf-8")
    for line, text in prose(content, file.suffix):
        for rule, better in RULES.items():
            for match in re.finditer(rule, text, re.IGNORECASE):
                yield f"{file}:{line + text.count(chr(10), 0, match.start())}: {match[0]!r}: {better}"
    if file.suffix == ".py":
        for line, first in docstrings(content):
            for rule, better in DOCSTRING_RULES.items():
                if re.search(rule, first):
                    yield f"{file}:{line}: {first!r}: {better}"


def prose(content: str, suffix: str) -> Iterator[tuple[int, str]]:
    """Passages of prose with the line that each begins at."""
    if suffix != ".py":
        yield 1, _without_code(content)
        return
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            yield token.start[0], token.string
        elif before == "def" and token.string.startswith("test_"):
            yield token.start[0], token.string.replace("_", " ")
        before = token.string


def docstrings(content: str) -> Iterator[tuple[int, str]]:
    """The first line of each docstring, with its number."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text.splitlines()[0]


def _without_code(markdown: str) -> str:
    """Markdown with its code blocks blanked, line by line."""
    return re.sub(
        r"^```.*?^```",
        lambda block: "\n" * block[0].count("\n"),
        markdown,
        flags=re.DOTALL | re.MULTILINE,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
