"""A password that no file and no process of a search may contain."""

import subprocess
from pathlib import Path

import psutil

PASSWORD = "marked-password-4711"


def check_password_shows_nowhere(driver: subprocess.Popen[bytes], directory: Path, temporary: Path) -> None:
    """Check the processes and files of a search while it runs, and its directory after it has ended."""
    processes = [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]
    commands = [" ".join(process.cmdline()) for process in processes if process.is_running()]
    while_running = files_with(PASSWORD, temporary, directory)
    assert driver.wait(120) == 0

    assert len(commands) > 3, "Ray's processes must be among the checked ones"
    assert not [command for command in commands if PASSWORD in command]
    assert while_running == []
    assert files_with(PASSWORD, directory) == []


def files_with(password: str, *folders: Path) -> list[str]:
    """Return the files in the folders that contain a password."""
    found = []
    for path in (path for folder in folders for path in folder.rglob("*")):
        try:
            if path.is_file() and password.encode() in path.read_bytes():
                found.append(str(path))
        except FileNotFoundError:
            continue  # a search renames and deletes files while it runs
    return found
