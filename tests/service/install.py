"""The service's client with the real onnxruntime-node beside it, installed once into the user's cache."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from trajtune.finalizing.export.latency import client_folder

CLIENT = Path(__file__).parent


def install_client() -> Path | None:
    """The folder with ``client.mjs`` and its modules; None where there is no npm.

    Fails, and does not skip, where npm cannot install: this is the check that counts.
    """
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder = client_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of the tests may be installing
        for name in ("package.json", "client.mjs"):
            shutil.copyfile(CLIENT / name, folder / f".{name}.new")
            os.replace(folder / f".{name}.new", folder / name)
        if not (folder / "node_modules" / ".package-lock.json").exists():
            command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock"]
            environment = {**os.environ, "ONNXRUNTIME_NODE_INSTALL": "skip"}
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200
            )
            assert not done.returncode, f"onnxruntime-node cannot be installed: {done.stderr}"
    return folder
