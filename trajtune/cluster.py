"""Start or join Ray without its output, and leave no process and no session directory behind."""

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

# Ray reads these variables on import, so they are set before. Values set by the user are kept.
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
"""Seconds that Ray's last processes get to stop before they are killed."""

_LONGEST_DIRECTORY: Final = 107 - len("/session_2026-11-28_01-37-29_123456_1234567/sockets/plasma_store")
"""Largest length of Ray's directory in bytes; the path of a Unix socket has at most 107 bytes."""

_OTHER_PLACES: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
"""Directories for Ray's files if the path of the temporary directory is too long."""

_ANSWER_WAIT_S: Final = 20.0
"""Seconds in which a cluster must accept a connection; it may still be starting."""

_HANDSHAKE_S: Final = 5.0
"""Seconds in which a service must answer the handshake."""

_SETTINGS_FRAME: Final = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_HTTP2_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS_FRAME
"""First bytes of an HTTP/2 connection; every gRPC server, including Ray's, answers with a settings frame."""

_joined: list[str] = []
"""Addresses of the clusters that this process has joined, innermost last."""


def is_joined() -> bool:
    """Return whether the open session belongs to a cluster that was joined, not started on this machine."""
    return bool(_joined)


@contextmanager
def ray_session(
    address: str | None = None,
    *,
    verbose: bool = False,
    num_cpus: int | None = None,
    prestart: bool = True,
) -> Iterator[None]:
    """Run the block in a Ray session; a session that is already open is used and left open.

    Args:
        address: Address of a cluster to join, ``auto`` or ``host:port``; None: the value of RAY_ADDRESS, or
            without it, Ray is started on this machine.
        verbose: Whether to show Ray's logs.
        num_cpus: CPUs of a Ray that is started here; None: all CPUs that this process may use.
        prestart: Whether a Ray that is started here immediately starts a process for each CPU. Tasks use
            these processes; Ray Tune's actors never do, because Tune gives them environment variables.

    Raises:
        RunError: If no cluster answers at the address, or if Ray does not start.
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
            try:
                ray.init(
                    num_cpus=num_cpus or len(os.sched_getaffinity(0)),
                    include_dashboard=False,
                    log_to_driver=verbose,
                    logging_level=level,
                    _temp_dir=directory,
                    _system_config=None if prestart else {"prestart_worker_first_driver": False},
                )
            except Exception as error:  # Ray raises `Exception` itself if its processes do not answer
                raise _not_started(error) from error
        yield
    finally:
        started = _processes_of(directory)
        ray.shutdown()
        # Ray's agents stop last and write logs until then.
        _, alive = psutil.wait_procs(started, timeout=_STOP_WAIT_S)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(directory, ignore_errors=True)


def _check_answers(address: str) -> None:
    """Raise an error if nothing accepts connections at an address, where `ray.init` would wait forever."""
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
            raise _no_cluster(address, "the service there is not Ray")


def _resolved(address: str) -> str:
    """Return the address found for ``auto``, or any other address unchanged."""
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


def _not_started(error: Exception) -> RunError:
    reason = " ".join(str(error).split()).rstrip(".")
    return RunError(
        f"Ray must start on this machine, but did not: {reason}. Check the memory and load of the machine, "
        "or show Ray's logs with --verbose."
    )


@contextmanager
def ray_data_for_reading(*, in_order: bool = False) -> Iterator[None]:
    """Within the block, let Ray Data read on all CPUs, without output and without long retries.

    By default Ray Data reserves half of the CPUs for stages after the first one. Reading has no further
    stage, so it would use only one of two CPUs. Importing Ray Data configures its logger, so the import comes
    first.

    Args:
        in_order: Whether to keep the order of the rows.
    """
    from ray.data import DataContext

    context, logger = DataContext.get_current(), logging.getLogger("ray.data")
    settings = {
        "enable_progress_bars": False,
        "op_resource_reservation_enabled": False,
        # Version 2 lists Parquet files in threads, where imports can fail in a race (Ray 2.60).
        "use_datasource_v2": False,
        # pyarrow already tries three times; with Ray's retries on top, a store that is down costs ten
        # minutes.
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
    """Create a directory for Ray's files, in the temporary directory or elsewhere if its path is too long.

    Raises:
        RunError: If every possible directory has too long a path or is not writable.
    """
    usual = tempfile.gettempdir()
    for parent in (usual, *_OTHER_PLACES):
        if len(os.fsencode(os.path.join(parent, "trajtune-12345678"))) > _LONGEST_DIRECTORY:
            continue
        try:
            directory = tempfile.mkdtemp(prefix="trajtune-", dir=parent)
        except OSError:
            continue
        if parent != usual:
            print(
                f"The path of the temporary directory {usual} is too long for Ray's sockets, so Ray's files "
                f"are in {directory}.",
                file=sys.stderr,
            )
        return directory
    raise RunError(
        f"Ray's sockets need a directory whose path has at most {_LONGEST_DIRECTORY} bytes, but {usual}, "
        f"{', '.join(_OTHER_PLACES)} are longer or not writable. Set TMPDIR to a short path."
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
    """Delay Ctrl-C to the end of the block, because Ray may crash if it is interrupted while starting.

    A second Ctrl-C interrupts immediately.
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
    """Return the processes that this process started for the Ray session in a directory, with children."""
    processes = []
    for process in psutil.Process().children():
        with suppress(psutil.Error):
            if any(directory in part for part in process.cmdline()):
                processes += [process, *process.children(recursive=True)]
    return processes
