"""PostgreSQL servers for tests that stop them, replicate them, or put a proxy in front of them."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from tests.support.marked_password import PASSWORD
from trajtune.careers.sources.embedded_postgres import (
    _chown_to_unprivileged,
    _Cluster,
    _command_prefix,
    _run_program,
)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A separate server on a TCP port, which a test can start and stop any number of times.

    Attributes:
        cluster: Files of the server.
        port: Port on the loopback address, the same after every start.
        password: Password of the user postgres; empty: no password is required.
    """

    cluster: _Cluster
    port: int
    password: str = ""

    @property
    def url(self) -> str:
        user = f"postgres:{self.password}" if self.password else "postgres"
        return f"postgresql://{user}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        settings = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= -c fsync=off"
        )
        _run_program(
            self.cluster,
            *("pg_ctl", "start", "-w", "-t", "60", "-D", self.cluster.data),
            *("-l", self.cluster.log, "-o", settings),
        )

    def stop(self, mode: str = "immediate") -> None:
        _run_program(self.cluster, "pg_ctl", "stop", "-w", "-t", "60", "-m", mode, "-D", self.cluster.data)

    def restart(self) -> None:
        """Kill the server like a power failure, wait a few seconds, and start it again."""
        pid = int(self.cluster.pid_file.read_text().splitlines()[0])
        os.kill(pid, signal.SIGQUIT)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
        time.sleep(3)
        self.start()

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


@contextmanager
def server(home: Path, password: str = "") -> Iterator[Server]:
    """Run a new server within the block."""
    cluster = _Cluster(home)
    home.mkdir(exist_ok=True)
    _initdb(cluster, password)
    with running(Server(cluster, free_port(), password)) as started:
        yield started


def database_server(home: Path) -> AbstractContextManager[Server]:
    """Run a new server that requires the marked password."""
    return server(home, PASSWORD)


def _initdb(cluster: _Cluster, password: str) -> None:
    cluster.data.mkdir(mode=0o700)
    _chown_to_unprivileged(cluster.data)
    options = ["-U", "postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
    secret = cluster.home / "password"
    secret.write_text(password)
    options += ["--auth=scram-sha-256", f"--pwfile={secret}"] if password else ["--auth=trust"]
    _run_program(cluster, "initdb", "-D", cluster.data, *options)
    secret.unlink()


@contextmanager
def standby(primary: Server, home: Path) -> Iterator[Server]:
    """Run a streaming replica of a running server within the block."""
    cluster = _Cluster(home)
    home.mkdir()
    _chown_to_unprivileged(home)
    source = f"host=127.0.0.1 port={primary.port} user=postgres"
    _run_program(
        cluster, "pg_basebackup", "-D", cluster.data, "-d", source, "-R", "-X", "stream", "-c", "fast"
    )
    with running(Server(cluster, free_port())) as started:
        yield started


@contextmanager
def pooler(one: Server, home: Path, pool_size: int) -> Iterator[str]:
    """Run PgBouncer in front of a server, in transaction mode, and yield its URL."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed (Debian: apt-get install pgbouncer)")
    port = free_port()
    home.mkdir()
    settings = home / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={one.port} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {pool_size}\n"
    )
    process = subprocess.Popen(
        [*_command_prefix(), program, str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            assert process.poll() is None, "PgBouncer does not start"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        process.kill()
        process.wait()


@contextmanager
def running(one: Server) -> Iterator[Server]:
    one.start()
    try:
        yield one
    finally:
        if one.cluster.pid_file.exists():
            one.stop()


class Between:
    """A TCP proxy in this process, which forwards data between clients and servers until a test stops it.

    Args:
        choose: Function that returns the port to connect to, given the number of the connection from 0.
        silent_after: Function that returns, given the number of a connection, the bytes from the server
            after which nothing more is forwarded while both sockets stay open; None: no limit.
    """

    def __init__(
        self, choose: Callable[[int], int], silent_after: Callable[[int], int | None] = lambda number: None
    ) -> None:
        self._choose, self._silent_after = choose, silent_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.num_connections = 0
        self.num_silenced = 0
        self.is_frozen = False
        self.cut_after: int | None = None
        """Bytes from the servers after which the current connection is closed, once; None: never."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                if self.is_frozen:
                    continue
                number = self.num_connections
                self.num_connections += 1
                upstream = socket.create_connection(("127.0.0.1", self._choose(number)))
                self._open.append(upstream)
                limit = self._silent_after(number)
                threading.Thread(target=self._forward, args=(client, upstream), daemon=True).start()
                answers = (upstream, client, limit, True)
                threading.Thread(target=self._forward, args=answers, daemon=True).start()

    def _forward(
        self, source: socket.socket, sink: socket.socket, most: int | None = None, answers: bool = False
    ) -> None:
        sent = 0
        with suppress(OSError):
            while content := source.recv(1 << 14):
                while self.is_frozen:
                    time.sleep(0.05)
                if most is not None and sent + len(content) > most:
                    self.num_silenced += 1
                    return  # both sockets stay open, and their kernels answer every keepalive
                if answers and self.cut_after is not None:
                    left, self.cut_after = self.cut_after - len(content), None
                    if left <= 0:
                        sink.sendall(content[: len(content) + left])
                        sink.shutdown(socket.SHUT_RDWR)
                        source.shutdown(socket.SHUT_RDWR)
                        return
                    self.cut_after = left
                sink.sendall(content)
                sent += len(content)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for one in (self._listener, *self._open):
            one.close()


@contextmanager
def between(
    choose: Callable[[int], int], silent_after: Callable[[int], int | None] = lambda number: None
) -> Iterator[Between]:
    proxy = Between(choose, silent_after)
    try:
        yield proxy
    finally:
        proxy.close()
