"""A PostgreSQL with a password on a port of its own, which a test may stop and start again."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.marked_password import PASSWORD
from trajtune.careers.sources import embedded_postgres as embedded


class Server:
    """The URL stays the same over a restart, as a company's would."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._cluster = embedded._Cluster(home)
        self._secret = home / "password"
        self._secret.write_text(PASSWORD)
        self._cluster.data.mkdir(mode=0o700)
        embedded._chown_to_unprivileged(self._cluster.data)
        options = ("-U", "postgres", "--auth=scram-sha-256", f"--pwfile={self._secret}", "--no-sync")
        embedded._run_program(self._cluster, "initdb", "-D", self._cluster.data, *options)
        self._secret.unlink()

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    @property
    def pid_file(self) -> Path:
        return self._cluster.pid_file

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories=''"
        data, log = self._cluster.data, self._cluster.log
        embedded._run_program(self._cluster, "pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", options)

    def stop(self) -> None:
        data = self._cluster.data
        embedded._run_program(self._cluster, "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)

    def restart(self) -> None:
        """Kill the server, as a power cut does, let it be away for a while, and start it again."""
        pid = int(self.pid_file.read_text().splitlines()[0])
        os.kill(pid, signal.SIGQUIT)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
        time.sleep(3)
        self.start()


@contextmanager
def database_server(home: Path) -> Iterator[Server]:
    server = Server(home)
    server.start()
    try:
        yield server
    finally:
        if server.pid_file.exists():
            server.stop()
