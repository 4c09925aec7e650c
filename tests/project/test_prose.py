"""The checker of prose finds banned idioms where prose is, and the repository has none."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def check(*files: Path) -> tuple[int, str]:
    outcome = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "prose.py"), *map(str, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return outcome.returncode, outcome.stdout


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.md", "First line.\n\nThe file is read anew.\n"),
        ("docstring.py", '"""A module."""\n\n"""It is read anew."""\n'),
        ("comment.py", '"""A module."""\n\n# It is read anew.\n'),
        ("message.py", '"""A module."""\n\nMESSAGE = "It is read anew."\n'),
        ("name.py", '"""A module."""\n\ndef test_a_file_is_read_anew(): ...\n'),
    ],
)
def test_an_idiom_is_reported_with_a_better_word(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content, "utf-8")
    assert check(file) == (1, f"{file}:3: 'anew': again\n")


def test_code_is_not_prose(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("Text.\n\n```python\nanew = 1\n```\n", "utf-8")
    (tmp_path / "code.py").write_text('"""A module."""\n\nanew = 1\n', "utf-8")
    assert check(tmp_path / "page.md", tmp_path / "code.py")[0] == 0


def test_a_bare_genitive_is_no_docstring(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text('"""A module."""\n\ndef of():\n    """Of a trial."""\n', "utf-8")
    assert check(file) == (1, f"{file}:4: 'Of a trial.': a sentence or a noun phrase\n")


def test_the_repository_has_no_banned_idiom() -> None:
    code, found = check()
    assert code == 0, found
