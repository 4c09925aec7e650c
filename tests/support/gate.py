"""A TCP proxy that tests can shut, so connections are refused, or hold, so nothing answers."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Forwards connections from a separate port to a server on this machine.

    Args:
        port: Port of the server on the loopback address.
        address: Address that the gate listens on.
    """

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._to, self._address = port, address
        with socket.socket() as free:
            free.bind((address, 0))
            self.port = free.getsockname()[1]
        self._open: list[socket.socket] = []
        self._passing = threading.Event()
        self.open()

    def open(self) -> None:
        """Forward connections."""
        self._passing.set()
        self._listener = socket.create_server((self._address, self.port), reuse_port=True)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Close every connection and refuse new ones."""
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def hold(self) -> None:
        """Accept connections and data, but forward nothing."""
        self._passing.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._open += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(65536):
                self._passing.wait()
                other.sendall(piece)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def gate_to(url: str, address: str = "127.0.0.1") -> Iterator[tuple[Gate, str]]:
    """Yield a gate to the server at ``http://host:port``, and the URL through the gate."""
    gate = Gate(int(url.rpartition(":")[2]), address)
    try:
        yield gate, f"http://{address}:{gate.port}"
    finally:
        gate.shut()
