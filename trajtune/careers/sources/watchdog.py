"""A connection that has gone silent, told from a query that takes its time, and ended.

TCP's keepalives notice a network that loses everything. They do not notice a pooler or a server that
hangs, because its kernel still answers them.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ended_if_silent(
    connection: Any, silence_s: float, progress: Callable[[], int], is_at_work: Callable[[], bool]
) -> Iterator[None]:
    """Shut a connection down, so that whoever waits for it gets an error, once it is found silent.

    Args:
        connection: Of psycopg2; used in the block and closed after it.
        silence_s: Seconds without progress after which the question is asked, again and again.
        progress: Anything that changes as long as something comes.
        is_at_work: Whether the server is still busy with what was asked; may itself take some seconds.
    """
    over = threading.Event()
    ending = threading.Lock()

    def watch() -> None:
        before = progress()
        while not over.wait(silence_s):
            now = progress()
            if now == before and not is_at_work():
                # After the block, another file could have the connection's number.
                with ending:
                    if not over.is_set():
                        _shut_down(connection.fileno())
                return
            before = now

    threading.Thread(target=watch, daemon=True, name="silence").start()
    try:
        yield
    finally:
        with ending:
            over.set()


def _shut_down(number: int) -> None:
    with socket.socket(fileno=os.dup(number)) as theirs:
        theirs.shutdown(socket.SHUT_RDWR)
