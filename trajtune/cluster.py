"""Start or join Ray, quietly, and leave nothing behind: no process, no session directory."""

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import psutil

# Read by Ray when it is imported, so they are set before that. `setdefault`: a user's own setting wins.
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

_PATIENCE_S: Final = 3.0
"""How long Ray's last processes may take to notice that the others are gone."""


@contextmanager
def ray_session(
    address: str | None = None, *, verbose: bool = False, num_cpus: int | None = None
) -> Iterator[None]:
    """A Ray session for the length of the block; one that is already open is used and left open.

    Args:
        address: ``auto`` or ``host:port`` joins a cluster; None: the one that RAY_ADDRESS names, or Ray is
            started on this machine.
        verbose: Let Ray speak.
        num_cpus: CPUs of the Ray started here; None: all that this process may use.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
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
        ray.init(address=address, log_to_driver=verbose, logging_level=level)
        try:
            yield
        finally:
            ray.shutdown()
        return
    # Ray's sockets live below this directory and their paths must stay short.
    directory = tempfile.mkdtemp(prefix="trajtune-")
    try:
        with _interrupted_afterwards():
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
        # Ray's agents notice the end of the rest later, and write their logs until then.
        _, alive = psutil.wait_procs(started, timeout=_PATIENCE_S)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def ray_data_for_reading(*, in_order: bool = False) -> Iterator[None]:
    """Let Ray Data read on every CPU, draw no bars, tell no plans and not wait for ever in the block.

    It keeps half of the CPUs for stages after the first, and reading has none: on two CPUs it would read
    with one. Importing it sets its logger, so that comes first.

    Args:
        in_order: Let it keep the order of the rows, whichever task is done first.
    """
    from ray.data import DataContext

    context, logger = DataContext.get_current(), logging.getLogger("ray.data")
    settings = {
        "enable_progress_bars": False,
        "op_resource_reservation_enabled": False,
        # The second version lists Parquet files in threads whose imports trip over each other (Ray 2.60).
        "use_datasource_v2": False,
        # pyarrow itself tries thrice; Ray's tries around those wait ten minutes for a store that is down.
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


@contextmanager
def _interrupted_afterwards() -> Iterator[None]:
    """Let Ctrl-C wait for the block's end, because Ray, interrupted while it starts, may crash.

    A second Ctrl-C does not wait.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    pressed = []

    def remember(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _processes_of(directory: str) -> list[psutil.Process]:
    """What we started for the Ray session in that directory, and what those processes started."""
    found = []
    for process in psutil.Process().children():
        with suppress(psutil.Error):
            if any(directory in part for part in process.cmdline()):
                found += [process, *process.children(recursive=True)]
    return found
