"""Install the client of the service with the real onnxruntime-node, once, into the user's cache."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from trajtune.finalizing.export.latency import client_folder

CLIENT = Path(__file__).parent


def install_client() -> Path | None:
    """Return the folder with ``client.mjs`` and its modules; None without npm.

    If npm cannot install the module, this function fails instead of skipping, because the check is essential.
    """
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder = client_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be installing
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
