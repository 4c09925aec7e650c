"""Start or join Ray, without its output, and leave nothing behind: no process, no session directory."""

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import psutil

from trajtune.errors import RunError
from trajtune.stages import stage
from trajtune.storage.retry import retrying

# Ray reads these on import, so they are set before it. A value that the user has set is kept.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}

_STOP_WAIT_S: Final = 3.0
"""Time that Ray's last processes get to stop after the others, before they are killed."""

_MOST_OF_A_SOCKET: Final = 107 - len("/session_2026-11-28_01-37-29_123456_1234567/sockets/plasma_store")
"""Bytes of the directory of a Ray session: the path of a Unix socket has at most 107."""

_OTHER_PLACES: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
"""Where Ray's files go if the temporary directory has too long a path."""

_ANSWER_WAIT_S: Final = 20.0
"""Time in which a cluster must accept a connection; it may still be starting."""

_HANDSHAKE_S: Final = 5.0
"""Time in which what accepts a connection must say that it is Ray."""

_SETTINGS_FRAME: Final = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_HTTP2_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS_FRAME
"""What every gRPC server, and so Ray's, answers with a settings frame of its own."""

_joined: list[str] = []
"""Addresses of the clusters that this process has joined, innermost last."""


def is_joined() -> bool:
    """Whether the open session is one of a cluster that was joined, rather than started on this machine."""
    return bool(_joined)


@contextmanager
def ray_session(
    address: str | None = None, *, verbose: bool = False, num_cpus: int | None = None
) -> Iterator[None]:
    """A Ray session for the block; a session that is already open is used and left open.

    Args:
        address: ``auto`` or ``host:port`` joins a cluster; None: that of RAY_ADDRESS, or without one, Ray is
            started on this machine.
        verbose: Show Ray's logs.
        num_cpus: CPUs of a Ray that is started here; None: all that this process may use.

    Raises:
        RunError: If no cluster answers at the address.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with stage("Loading Ray"):
        import ray

    address = address or os.environ.get("RAY_ADDRESS")
    if ray.is_initialized():
        yield
        return
    if not verbose:
        for logger in ("ray", "ray.tune", "ray.data", "ray.train"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
    level = logging.INFO if verbose else logging.ERROR
    if address is not None:
        _check_answers(address)
        try:
            with stage(f"Joining the Ray cluster at {address}"), _own_handler_of_sigterm():
                ray.init(address=address, log_to_driver=verbose, logging_level=level)
        except ConnectionError as error:
            raise _no_cluster(address, str(error)) from error
        _joined.append(address)
        try:
            yield
        finally:
            _joined.pop()
            ray.shutdown()
        return
    directory = _session_directory()
    try:
        with stage("Starting Ray"), _interrupt_delayed(), _own_handler_of_sigterm():
            ray.init(
                num_cpus=num_cpus or len(os.sched_getaffinity(0)),
                include_dashboard=False,
                log_to_driver=verbose,
                logging_level=level,
                _temp_dir=directory,
            )
        yield
    finally:
        started = _processes_of(directory)
        ray.shutdown()
        # Ray's agents stop after the rest, and write their logs until then.
        _, alive = psutil.wait_procs(started, timeout=_STOP_WAIT_S)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(directory, ignore_errors=True)


def _check_answers(address: str) -> None:
    """Refuse an address where nothing accepts connections; `ray.init` would wait for it without an end."""
    host, _, port = _resolved(address).removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # "local", which Ray itself resolves
    try:
        connection = retrying(
            lambda: socket.create_connection((host.strip("[]"), int(port)), timeout=_HANDSHAKE_S),
            lambda error: isinstance(error, OSError),
            seconds=_ANSWER_WAIT_S,
            service=f"The Ray cluster at {address}",
        )
    except OSError as error:
        raise _no_cluster(address, error.strerror or str(error)) from error
    with connection:
        if os.environ.get("RAY_USE_TLS", "0") == "0" and not _speaks_grpc(connection):
            raise _no_cluster(address, "what listens there is not Ray")


def _resolved(address: str) -> str:
    """The address that ``auto`` stands for; any other address as it is."""
    if address != "auto":
        return address
    from ray._private.services import canonicalize_bootstrap_address

    try:
        found = canonicalize_bootstrap_address(address)
    except ConnectionError as error:
        raise _no_cluster(address, str(error)) from error
    return str(found or address)


def _speaks_grpc(connection: socket.socket) -> bool:
    try:
        connection.settimeout(_HANDSHAKE_S)
        connection.sendall(_HTTP2_HELLO)
        answer = connection.recv(9)
    except OSError:
        return False
    return answer[3:4] == _SETTINGS_FRAME[3:4]


def _no_cluster(address: str, reason: str) -> RunError:
    return RunError(
        f"A Ray cluster must answer at {address}, but none does: {' '.join(reason.split())}. "
        "Start one with `ray start --head`, or check --address and RAY_ADDRESS."
    )


@contextmanager
def ray_data_for_reading(*, in_order: bool = False) -> Iterator[None]:
    """For the block, let Ray Data read on every CPU, without output and without long retries.

    By default Ray Data reserves half of the CPUs for stages after the first. Reading has no further stage,
    so on two CPUs it would use one. Importing Ray Data sets its logger, so that comes first.

    Args:
        in_order: Keep the order of the rows, whichever task finishes first.
    """
    from ray.data import DataContext

    context, logger = DataContext.get_current(), logging.getLogger("ray.data")
    settings = {
        "enable_progress_bars": False,
        "op_resource_reservation_enabled": False,
        # Version 2 lists Parquet files in threads whose imports can fail in a race (Ray 2.60).
        "use_datasource_v2": False,
        # pyarrow tries three times; with Ray's retries around those, a store that is down costs ten minutes.
        "retried_io_errors": [e for e in context.retried_io_errors if "NETWORK_CONNECTION" not in e],
    }
    before = {name: getattr(context, name) for name in settings}
    options, level = context.execution_options, logger.level
    kept_order = options.preserve_order
    options.preserve_order = in_order or kept_order
    for name, value in settings.items():
        setattr(context, name, value)
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        options.preserve_order = kept_order
        for name, value in before.items():
            setattr(context, name, value)
        logger.setLevel(level)


def _session_directory() -> str:
    """A new directory for Ray's files: in the temporary directory, or elsewhere if its path is too long.

    Raises:
        RunError: If every place that could be used has too long a path or cannot be written to.
    """
    usual = tempfile.gettempdir()
    for parent in (usual, *_OTHER_PLACES):
        if len(os.fsencode(os.path.join(parent, "trajtune-12345678"))) > _MOST_OF_A_SOCKET:
            continue
        try:
            directory = tempfile.mkdtemp(prefix="trajtune-", dir=parent)
        except OSError:
            continue
        if parent != usual:
            print(
                f"The temporary directory {usual} has too long a path for Ray's sockets, so Ray's files "
                f"are in {directory}.",
                file=sys.stderr,
            )
        return directory
    raise RunError(
        f"Ray's sockets need a directory whose path has at most {_MOST_OF_A_SOCKET} bytes, but {usual}, "
        f"{', '.join(_OTHER_PLACES)} are longer or cannot be written to. Set TMPDIR to a short path."
    )


@contextmanager
def _own_handler_of_sigterm() -> Iterator[None]:
    """Keep this process's handler of SIGTERM, which Ray replaces when it starts."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if callable(before) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _interrupt_delayed() -> Iterator[None]:
    """Delay Ctrl-C to the end of the block, because Ray may crash if it is interrupted while it starts.

    A second Ctrl-C interrupts at once.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    interrupts = []

    def delay(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        if len(interrupts) > 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, delay)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt


def _processes_of(directory: str) -> list[psutil.Process]:
    """The processes of the Ray session in that directory that this process started, and their children."""
    processes = []
    for process in psutil.Process().children():
        with suppress(psutil.Error):
            if any(directory in part for part in process.cmdline()):
                processes += [process, *process.children(recursive=True)]
    return processes
