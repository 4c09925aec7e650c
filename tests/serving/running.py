"""A real server in a process of its own, and coroutines in a thread of their own."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from tests.cli.running import COMMAND

Result = TypeVar("Result")


def awaited(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine returns; in a thread, because an open browser has an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: Where it listens.
        process: Its process.
        log: What it says on stderr.
    """

    url: str
    process: "subprocess.Popen[str]"
    log: Path


@contextmanager
def served(bundle: Path, *arguments: str, log: Path | None = None) -> Iterator[Server]:
    """Serve a bundle on a free port until the block ends."""
    log = log or Path(os.devnull)
    with log.open("w") as stderr, _started(bundle, arguments, stderr) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), log.read_text()
            yield Server(url, process, log)
        finally:
            process.send_signal(signal.SIGKILL)


def _started(bundle: Path, arguments: tuple[str, ...], stderr: IO[str]) -> "subprocess.Popen[str]":
    command = [*COMMAND, "serve", str(bundle), "--port", "0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True)
