"""Speed of `trajtune serve` on one core, under a real load tool.

Usage: python -m benchmarks.serving [--bundle PATH] [--quick] [--json FILE]

Without a bundle it serves an untrained network of the research default's size with 1,413 titles; speed
does not depend on what the weights are. The server has one core to itself and wrk another (Debian: apt-get
install wrk). wrk asks for careers of two to ten roles: 200 a second, then one after another, eight at once,
and in batches of fifty, each as fast as they are answered. Without wrk it says so and measures nothing. On a
busy machine the processor time of a request alone means something.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.predict import make_bundle
from benchmarks.rows import result
from trajtune.bundle.bundle import load_bundle

TITLES = 1413
BARS = {"200 careers a second": "p95", "one career after another": "rate"}
P95_MS = 5
RATE = 200
_SERVE = "import sys; sys.argv[0] = 'trajtune'; from trajtune.cli import main; main()"
_SCRIPT = """
wrk.method = "POST"
local bodies, at, pause = {}, 0, %d
for line in io.lines(%s) do bodies[#bodies + 1] = line end
request = function()
  at = at %% #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
if pause > 0 then delay = function() return pause end end
done = function(summary, latency, requests)
  local e = summary.errors
  local form = '\\n{"requests": %%d, "us": %%d, "p50": %%d, "p95": %%d, "p99": %%d, "errors": %%d}\\n'
  io.write(string.format(form,
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95),
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@contextmanager
def served(bundle: Path, core: int) -> Iterator[tuple[str, psutil.Process]]:
    """The address of a server that runs on one core, and its process."""
    command = [sys.executable, "-c", _SERVE, "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
    ) as process:
        os.sched_setaffinity(process.pid, {core})
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), psutil.Process(process.pid)
        finally:
            process.terminate()


def make_bodies(bundle: Path, folder: Path) -> dict[str, Path]:
    """Files with a body a line: single careers, and batches of fifty."""
    titles = list(load_bundle(bundle).encoder.idx_to_title.values())[1:]
    random = np.random.default_rng(0)
    careers = [
        [titles[i] for i in random.integers(0, len(titles), random.integers(2, 11))] for _ in range(2000)
    ]
    bodies = {"one": careers, "fifty": [careers[i : i + 50] for i in range(0, len(careers), 50)]}
    for name, lines in bodies.items():
        (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return {name: folder / name for name in bodies}


def load(
    server: psutil.Process, url: str, bodies: Path, connections: int, pause_ms: int, seconds: int, core: int
) -> dict[str, Any]:
    """What wrk measures, and the processor time of a request; milliseconds and requests a second."""
    script = bodies.with_suffix(".lua")
    script.write_text(_SCRIPT % (pause_ms, json.dumps(str(bodies))))
    command = [
        "taskset",
        "-c",
        str(core),
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "-s",
        str(script),
        url,
    ]
    before = sum(server.cpu_times()[:2])
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = sum(server.cpu_times()[:2]) - before
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    assert found["errors"] == 0, out
    if not found["requests"]:
        raise SystemExit(f"No request was answered in {seconds} seconds. Measure on a machine that is idle.")
    milliseconds = {name: found[name] / 1000 for name in ("p50", "p95", "p99")}
    milliseconds["cpu"] = 1000 * used / found["requests"]
    return {**milliseconds, "per_s": found["requests"] / (found["us"] / 1e6)}


def rows(name: str, found: dict[str, Any], *, bar: str | None) -> list[dict[str, Any]]:
    return [
        result(f"{name}, p50", found["p50"], "ms"),
        result(f"{name}, p95", found["p95"], "ms", most=P95_MS if bar == "p95" else None),
        result(f"{name}, p99", found["p99"], "ms"),
        result(f"{name}, processor time", found["cpu"], "ms"),
        result(f"{name}, rate", found["per_s"], "requests/s", least=RATE if bar == "rate" else None),
    ]


def measure(bundle: Path, folder: Path, seconds: int, cores: Sequence[int]) -> list[dict[str, Any]]:
    bodies = make_bodies(bundle, folder)
    kinds = {
        # Two connections that pause after each answer: 200 requests a second, while answers are fast.
        "200 careers a second": ("predict", "one", 2, 8),
        "one career after another": ("predict", "one", 1, 0),
        "eight careers at once": ("predict", "one", 8, 0),
        "a batch of fifty": ("predict/batch", "fifty", 1, 0),
    }
    found = []
    with served(bundle, cores[0]) as (url, process):
        load(process, f"{url}predict", bodies["one"], 1, 0, 2, cores[-1])  # the first requests fill caches
        for name, (path, kind, connections, pause_ms) in kinds.items():
            measured = load(process, url + path, bodies[kind], connections, pause_ms, seconds, cores[-1])
            found += rows(name, measured, bar=BARS.get(name))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if missing := [name for name in ("wrk", "taskset") if shutil.which(name) is None]:
        print(f"Nothing is measured: {' and '.join(missing)} is not installed (Debian: apt-get install wrk).")
        return
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundle = arguments.bundle
        if bundle is None:
            bundle = folder / "bundle"
            bundle.mkdir()
            make_bundle(bundle, TITLES)
        found = measure(bundle, folder, 3 if arguments.quick else 15, cores)
    for row in found:
        bar = "" if row["bar"] is None else f"{row['bar']:>8g} {'ok' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:<30} {row['value']:>10,.2f} {row['unit']:<12} {bar}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
