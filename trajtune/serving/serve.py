"""Serves a bundle until it is stopped: checks it, listens, and ends cleanly on Ctrl-C and SIGTERM."""

import importlib.util
import ipaddress
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.errors import ServingError
from trajtune.finalizing.verify import verify
from trajtune.serving.about import gates_not_passed
from trajtune.serving.limits import Limits

_NEEDED: Final = ("fastapi", "uvicorn", "prometheus_client")
_SHUTDOWN_S: Final = 5
"""Seconds that running requests have to end once the server is stopped."""


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        host: A name or an address; 127.0.0.1 is this machine alone.
        port: 0: any that is free.
    """

    host: str = "127.0.0.1"
    port: int = 8000


def serve(bundle: Path, address: Address, limits: Limits, *, as_service: bool = False) -> None:
    """Serve a bundle until the process is interrupted or terminated.

    Prints the server's URL to stdout once it listens, and everything else to stderr.

    Args:
        bundle: The bundle's directory.
        address: Where to listen.
        limits: What a request may ask for.
        as_service: Look titles up as the TypeScript service does.

    Raises:
        ServingError: If the extra is not installed or the address cannot be used.
        BundleError: If the bundle is not as it was written.
        KeyboardInterrupt: When it was stopped.
    """
    _check_installed()
    verify(bundle)
    opened = load_bundle(bundle, as_service=as_service)
    if (warning := gates_not_passed(opened)) is not None:
        print(f"Warning: {warning}", file=sys.stderr)
    with _listening(address) as listener:
        if not _is_loopback(listener):
            print(
                f"Warning: {address.host} is not this machine alone, and there is neither a password nor "
                "encryption. Put a proxy with both in front.",
                file=sys.stderr,
            )
        print(_url(listener), flush=True)
        _run(opened, listener, limits)


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ServingError(
            f"Serving needs {', '.join(missing)}, an extra that is not installed. "
            "Run `pip install 'trajtune[serve]'`."
        )


def _listening(address: Address) -> socket.socket:
    where = f"{address.host}:{address.port}"
    try:
        family, kind, protocol, _, resolved = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(resolved)
            listener.listen(socket.SOMAXCONN)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a host's name"
        raise ServingError(f"Cannot listen on {where}: {reason}. Give another --host or --port.") from error
    return listener


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _run(opened: Bundle, listener: socket.socket, limits: Limits) -> None:
    import uvicorn

    from trajtune.serving.app import create_app

    config = uvicorn.Config(
        create_app(opened, limits),
        log_config=None,  # our own log has no addresses and no queries
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    uvicorn.Server(config).run(sockets=[listener])
