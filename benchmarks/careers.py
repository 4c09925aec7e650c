"""Measure how fast careers are read from PostgreSQL, compared with a plain script, `read_sql` and COPY.

The benchmark starts a PostgreSQL server and fills it with simulated careers. Every measurement runs in a
separate process, so that memory is measured separately. The start of Ray is not included. Usage:

    python benchmarks/careers.py [--quick] [--json FILE]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from statistics import median
from typing import Any

FULL, QUICK = (200_000, 1_000_000), (40_000, 200_000)
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="use 40,000 and 200,000 careers instead of 200,000 and 1,000,000"
    )
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "TABLE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    results = compare(*(QUICK if options.quick else FULL))
    for row in results:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:58} {row['value']:12,.2f} {row['unit']}{bar}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def compare(small: int, large: int) -> list[dict[str, Any]]:
    """Return all measurements; ratios are between medians over alternating runs."""
    from trajtune.careers.sources.embedded_postgres import embedded_postgres
    from trajtune.simulation.write_careers import simulated_table

    with tempfile.TemporaryDirectory() as home, embedded_postgres(Path(home)) as url:
        tables = {size: simulated_table(url, size, 0) for size in (small, large)}

        def run(what: str, size: int) -> dict[str, float]:
            command = [sys.executable, __file__, "--measure", what, tables[size]]
            done = subprocess.run(
                command, env={**os.environ, "POSTGRES_URL": url}, stdout=subprocess.PIPE, check=True
            )
            return dict(json.loads(done.stdout.splitlines()[-1]))

        runs: dict[tuple[str, int], list[dict[str, float]]] = {}
        plan = [("copy", large), ("read", large), ("read_sql", large), ("prepare", small), ("prepare", large)]
        for _ in range(ROUNDS):
            for what, size in plan:
                runs.setdefault((what, size), []).append(run(what, size))
        for size in (small, large):
            runs["plain", size] = [run("plain", size)]

    def seconds(what: str, size: int) -> float:
        return median(one["seconds"] for one in runs[what, size])

    def peak(size: int) -> float:
        return median(one["peak_bytes"] for one in runs["prepare", size])

    def driver(size: int) -> float:
        return median(one["driver_bytes"] for one in runs["prepare", size])

    def rate(what: str, size: int) -> float:
        return size / seconds(what, size)

    rows: list[tuple[str, float, str, float | None, bool | None]] = [
        (f"{what}, {size:,} careers", rate(what, size), "careers/s", None, None) for what, size in runs
    ]
    speedup = rate("prepare", large) / rate("plain", large)
    of_copy, of_sql = rate("read", large) / rate("copy", large), rate("read", large) / rate("read_sql", large)
    growth = rate("prepare", small) / rate("prepare", large)
    memory = peak(large) / peak(small)
    rows += [
        ("end to end, speed-up over a plain script", speedup, "x", 5, speedup >= 5),
        ("reading, speed-up over ray.data.read_sql", of_sql, "x", 3, of_sql >= 3),
        ("reading, share of the speed of COPY", of_copy, "x", 0.5, of_copy >= 0.5),
        (f"peak memory, {small:,} careers", peak(small) / 2**20, "MiB", None, None),
        (f"peak memory, {large:,} careers", peak(large) / 2**20, "MiB", None, None),
        *(
            (
                f"driver's peak memory, {size:,} careers",
                driver(size) / 2**20,
                "MiB",
                1024,
                driver(size) <= 2**30,
            )
            for size in (small, large)
        ),
        ("peak memory, large / small", memory, "x", 1.5, memory <= 1.5),
        ("time per career, large / small", growth, "x", 1.2, growth <= 1.2),
    ]
    return [dict(zip(("name", "value", "unit", "bar", "passed"), row, strict=True)) for row in rows]


def measure(what: str, table: str) -> dict[str, float]:
    """Return one measurement, made in this process."""
    url = os.environ["POSTGRES_URL"]
    if what in ("copy", "plain"):
        with watched() as found:
            {"copy": bare_copy, "plain": plain_prepare}[what](url, table)
        return found
    from trajtune.cluster import ray_session

    with ray_session():
        warm_up()
        work: Callable[[str, str], None] = {"read": read_rows, "read_sql": read_sql, "prepare": prepare_all}[
            what
        ]
        with watched() as found:
            work(url, table)
    found["driver_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Measure the seconds and the peak proportional memory of this process and its descendants."""
    found: dict[str, float] = {"peak_bytes": 0}
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.2):
            found["peak_bytes"] = max(found["peak_bytes"], tree_bytes())

    sampler = threading.Thread(target=sample)
    sampler.start()
    started = time.perf_counter()
    yield found
    found["seconds"] = time.perf_counter() - started
    stop.set()
    sampler.join()


def tree_bytes() -> int:
    """Return the proportional set size of this process and its descendants, in bytes."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # the process ended
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    total = 0
    for pid in family:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)
    return total


def warm_up() -> None:
    """Start one worker per CPU and import everything that reading and `read_sql` need."""
    import ray
    import ray.data

    from trajtune.careers.read import load_career_sequences
    from trajtune.experiment.settings import DataSettings
    from trajtune.experiment.sources import PostgresSource

    roles = json.dumps([{"title": title, "start_date": "2000"} for title in "AB"])
    query = f"select 1 as id, '{roles}' as work_history"
    load_career_sequences(PostgresSource(query=query), DataSettings())
    ray.data.range(2).materialize()

    @ray.remote(num_cpus=1)
    def imported() -> None:
        import trajtune.careers.sources.postgres.datasource  # noqa: F401 - also imports psycopg2 and Ray Data

        time.sleep(1)  # long enough that no worker gets two tasks

    cpus = int(ray.cluster_resources()["CPU"])
    ray.get([imported.remote() for _ in range(cpus)])
    while ray.available_resources().get("CPU", 0) < cpus:  # Ray releases workers with a delay
        time.sleep(0.05)


def read_rows(url: str, table: str) -> None:
    import ray.data

    from trajtune.careers.sources.postgres.datasource import open_postgres
    from trajtune.cluster import ray_data_for_reading
    from trajtune.experiment.sources import PostgresSource

    with ray_data_for_reading(), open_postgres(PostgresSource(table=table), None, url) as (rows, plan):
        dataset = ray.data.read_datasource(rows, override_num_blocks=len(plan.ranges))
        count(dataset)


def read_sql(url: str, table: str) -> None:
    import psycopg2
    import ray.data

    count(
        ray.data.read_sql(f"select id::text, work_history::text from {table}", lambda: psycopg2.connect(url))
    )


def count(dataset: Any) -> int:
    return sum(len(batch) for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"))


def bare_copy(url: str, table: str) -> None:
    import psycopg2

    class Nowhere:
        def write(self, content: bytes) -> int:
            return len(content)

    connection = psycopg2.connect(url)
    connection.cursor().copy_expert(f"copy (select work_history from {table}) to stdout", Nowhere())
    connection.close()


def prepare_all(url: str, table: str) -> None:
    from trajtune.dataset.prepare import prepare
    from trajtune.experiment.settings import Experiment, StorageSettings
    from trajtune.experiment.sources import PostgresSource

    with tempfile.TemporaryDirectory() as folder:
        storage = StorageSettings(snapshots=folder)
        prepare(Experiment(source=PostgresSource(table=table), storage=storage), url=url)


def plain_prepare(url: str, table: str) -> None:
    """Do the same work like a simple script: fetchall, json.loads, loops, pandas."""
    import pandas as pd
    import psycopg2

    from trajtune.dataset.titles import TitleEncoder

    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute(f"select id, work_history::text from {table}")
    careers = []
    for candidate_id, text in cursor.fetchall():
        roles = []
        for entry in json.loads(text):
            title, start, end = entry.get("title"), entry.get("start_date"), entry.get("end_date")
            if title and title.strip() and start:
                started = datetime.strptime(start, "%Y-%m-%d").date()
                ended = datetime.strptime(end, "%Y-%m-%d").date() if end else None
                roles.append((started, ended or date.max, title.strip(), ended))
        roles.sort()
        if len(roles) >= 2:
            split = max([role[3] for role in roles if role[3]] + [roles[-1][0]])
            careers.append((split, str(candidate_id), roles))
    connection.close()
    careers.sort()
    cuts = (careers[int(0.70 * len(careers))][0], careers[int(0.85 * len(careers))][0])
    train = [career for career in careers if career[0] < cuts[0]]
    encoder = TitleEncoder.fit(Counter(role[2] for _, _, roles in train for role in roles))
    with tempfile.TemporaryDirectory() as folder:
        for name, first, last in (("train", date.min, cuts[0]), ("val", *cuts), ("test", cuts[1], date.max)):
            rows = []
            for split, candidate_id, roles in careers:
                if first <= split < last:
                    ids = [encoder.encode(role[2]) for role in roles]
                    tenure = [
                        None
                        if end is None
                        else 12 * (end.year - start.year) + end.month - start.month - (end.day < start.day)
                        for start, _, _, end in roles
                    ]
                    rows.append((candidate_id, [role[2] for role in roles], ids, tenure, split))
            frame = pd.DataFrame(
                rows, columns=["candidate_id", "titles", "title_ids", "tenure_months", "split_date"]
            )
            frame.to_parquet(Path(folder) / f"{name}.parquet")


if __name__ == "__main__":
    main()
