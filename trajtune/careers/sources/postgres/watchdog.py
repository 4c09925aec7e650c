"""A watchdog that shuts down hanging connections and distinguishes them from slow queries.

TCP keepalives detect a network that loses all packets. They do not detect a pooler or a server that hangs,
because its kernel still answers them.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def connection_watchdog(
    connection: Any, timeout_s: float, progress: Callable[[], int], is_working: Callable[[], bool]
) -> Iterator[None]:
    """Shut a connection down if it hangs in the block, so that the waiting call fails.

    Args:
        connection: A psycopg2 connection, used in the block and closed after it.
        timeout_s: Seconds without progress after which ``is_working`` is called, repeatedly.
        progress: Returns a number that changes as long as data arrives.
        is_working: Returns whether the server still works on the statement; may take some seconds.
    """
    is_over = threading.Event()
    shutting_down = threading.Lock()

    def watch() -> None:
        before = progress()
        while not is_over.wait(timeout_s):
            now = progress()
            if now == before and not is_working():
                # After the block, another file may have the same file descriptor.
                with shutting_down:
                    if not is_over.is_set():
                        _shut_down(connection.fileno())
                return
            before = now

    threading.Thread(target=watch, daemon=True, name="connection watchdog").start()
    try:
        yield
    finally:
        with shutting_down:
            is_over.set()


def _shut_down(file_number: int) -> None:
    with socket.socket(fileno=os.dup(file_number)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
