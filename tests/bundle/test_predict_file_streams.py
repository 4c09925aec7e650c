"""Predictions that go to no plain file: stdout, devices, pipes and links; and input with odd characters."""

import json
import os
import pty
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.running import COMMAND
from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.bundle.predict_file import predict_file
from trajtune.errors import BundleError

LINE = '["Jr. Nurse"]\n'


@pytest.fixture(scope="module")
def bundle(finalized: Path) -> Bundle:
    return load_bundle(finalized)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text(LINE * 3)
    return path


def test_a_link_stays_and_its_target_is_replaced(bundle: Bundle, source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "out.jsonl").write_text("former")
    link = tmp_path / "link.jsonl"
    link.symlink_to(folder / "out.jsonl")
    assert predict_file(bundle, source, link) == 3
    assert link.is_symlink()
    assert len((folder / "out.jsonl").read_text().splitlines()) == 3
    assert [file.name for file in folder.iterdir()] == ["out.jsonl"]


def test_a_pipe_is_written_to_and_stays_one(bundle: Bundle, source: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(pipe.read_text().splitlines()))
    reader.start()
    assert predict_file(bundle, source, pipe) == 3
    reader.join()
    assert len(read) == 3
    assert pipe.is_fifo()


def test_a_terminal_is_written_to(bundle: Bundle, source: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        name = Path(os.ttyname(theirs))
        source.write_text(LINE)
        assert predict_file(bundle, source, name) == 1
        assert name.is_char_device()
        assert os.read(ours, 10).startswith(b'{"next_rol')
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_device_is_written_to_and_stays_one(bundle: Bundle, source: Path, tmp_path: Path) -> None:
    """A device of the test's own: code that replaced devices would replace the machine's."""
    full = tmp_path / "full"
    try:
        os.mknod(full, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        full.open("w").close()
    except PermissionError:
        pytest.skip("only root may make a device here")
    with pytest.raises(BundleError, match="full: No space left on device"):
        predict_file(bundle, source, full)
    assert full.is_char_device()


def test_a_directory_is_refused(bundle: Bundle, source: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="Is a directory"):
        predict_file(bundle, source, tmp_path)


def predicted(finalized: Path, *arguments: str, **streams: object) -> "subprocess.CompletedProcess[bytes]":
    command = [*COMMAND, "predict", str(finalized), *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, **streams)  # type: ignore[call-overload, no-any-return]


@pytest.mark.slow
def test_a_dash_is_stdin_and_stdout(finalized: Path) -> None:
    found = predicted(
        finalized,
        "--input",
        "-",
        "--output",
        "-",
        input=b"\xef\xbb\xbf" + LINE.encode(),
        stdout=subprocess.PIPE,
    )
    assert json.loads(found.stdout)["next_role"]
    assert found.stderr == b"1 predictions in -\n"


@pytest.mark.slow
@pytest.mark.parametrize("target", ["-", "/dev/stdout"])
def test_stdout_is_appended_to_where_the_shell_says_so(
    finalized: Path, source: Path, tmp_path: Path, target: str
) -> None:
    kept = tmp_path / "kept.jsonl"
    kept.write_text("former\n")
    with kept.open("a") as out:
        predicted(finalized, "--input", str(source), "--output", target, stdout=out)
    lines = kept.read_text().splitlines()
    assert lines[0] == "former"
    assert [json.loads(line)["abstained"] for line in lines[1:]] == [False] * 3


@pytest.mark.slow
def test_a_reader_that_stops_early_is_one_line(finalized: Path, source: Path) -> None:
    source.write_text(LINE * 20_000)
    ours, theirs = os.pipe()
    os.close(ours)
    found = predicted(finalized, "--input", str(source), "--output", "-", stdout=theirs)
    os.close(theirs)
    assert found.returncode == 2
    assert found.stderr.startswith(b"BundleError: The reader of stdout stopped before the last prediction.")
    assert len(found.stderr.splitlines()) == 1


def test_a_byte_order_mark_is_passed_over(bundle: Bundle, source: Path, tmp_path: Path) -> None:
    source.write_bytes(b"\xef\xbb\xbf" + LINE.encode())
    assert predict_file(bundle, source, tmp_path / "out.jsonl") == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('["Nurse \\ud800"]', r"line 2 has the title 'Nurse \\ud800', which is not valid Unicode"),
        ('{"id": "\\udfff", "titles": ["Nurse"]}', "line 2 has an `id` that JSON in UTF-8 cannot hold"),
        ('{"id": [1e999], "titles": ["Nurse"]}', "line 2 has an `id` that JSON in UTF-8 cannot hold"),
        ('{"id": NaN, "titles": ["Nurse"]}', "line 2 is not JSON: NaN is not a JSON number"),
        ('{"id": -Infinity, "titles": ["Nurse"]}', "line 2 is not JSON: -Infinity is not a JSON number"),
        ("[" * 100_000, "line 2 is not JSON: it is nested too deeply"),
    ],
)
def test_what_json_in_utf8_cannot_hold_is_named_and_nothing_is_written(
    bundle: Bundle, source: Path, tmp_path: Path, line: str, message: str
) -> None:
    source.write_text(f"{LINE}{line}\n")
    with pytest.raises(BundleError, match=message):
        predict_file(bundle, source, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
