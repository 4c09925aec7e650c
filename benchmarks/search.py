"""Measure the overhead of a search, the savings by pruning, and whether kills lose anything.

(a) Seconds per trial of 50 trials with almost no work, two at a time, compared with Ray Tune's defaults for
the same function. (b) Share of the cores' time that is spent in epochs. (c) Epochs that TPE with ASHA needs
to reach the best value of as many full-length random trials, and whether early stopping keeps the best trial
(`benchmarks.early_stopping`). (d) Time to the same validation NLL, compared
with `optuna.study.optimize` around a plain loop. (e) Time in which a cluster grows to four workers, compared
with plain Ray tasks. With --kills N, only a search with N SIGKILLs is run.
Usage, from the project's root:

    python -m benchmarks.search [--quick] [--only a|b|c|d|e] [--json FILE] [--kills N]
"""

import argparse
import io
import json
import tempfile
import time
from collections import Counter
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import ray
import torch

from benchmarks.early_stopping import keeps_the_best
from benchmarks.plain_study import plain_study
from benchmarks.rows import result
from benchmarks.scale_out import scale_out
from tests.searching.faults.killing import check_invariants, opened, search_under_fire
from tests.support.careers import ladder_careers, loaded
from trajtune.cluster import ray_session
from trajtune.dataset.prepare import prepare, snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.model.network.title_words import words_of
from trajtune.model.training.fit import fit
from trajtune.searching.run import SessionFlags, start_search
from trajtune.searching.runs.directory import Run
from trajtune.searching.study.open import read_study
from trajtune.searching.study.origins import SAMPLER_ORIGIN
from trajtune.searching.study.trial_records import TrialRecord, read_trials

CONCURRENT = 2
MAX_OF_RAYS_DEFAULT = 0.1
MIN_EFFICIENCY = 0.90
MAX_OF_RANDOMS_EPOCHS = 0.25
MIN_SPEED_UP = 5.0
TINY = {"max_epochs": 5, "embedding_dim": 16, "hidden_dim": 8, "num_layers": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="use fewer trials, careers and seeds")
    parser.add_argument("--only", choices="abcde", help="run only this part")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--kills", type=int, default=0, help="number of SIGKILLs at random moments")
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        if options.kills:
            results += killed(directory, options.kills)
        else:
            parts = options.only or "abcde"
            with ray_session(num_cpus=CONCURRENT):
                if "a" in parts:
                    results += overhead(directory, trials=10 if options.quick else 50)
                if "b" in parts:
                    results += efficiency(directory, *((8, 2_000) if options.quick else (50, 20_000)))
                if "c" in parts:
                    results += luck(directory, *((500, 3) if options.quick else (2_000, 10)))
                    for space in ("around_default", "wide"):
                        sizes = (12, 500, 2) if options.quick else (50, 2_000, 5)
                        results += value(directory, space, *sizes)
                        sizes = (500, 6, 1) if options.quick else (2_000, 30, 5)
                        results += keeps_the_best(directory, space, *sizes)
            if "d" in parts:  # the time of trajtune includes the start of Ray
                results += beside_plain(directory, *((8, 3_000, 20) if options.quick else (50, 5_000, 50)))
            if "e" in parts:
                experiment = on_simulated(directory, 2_000, space="smoke", trials=20, max_concurrent=None)
                with ray_session(num_cpus=CONCURRENT):
                    snapshot = prepare(experiment)
                results += scale_out(experiment, snapshot.path, directory)
    for row in results:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:62} {row['value']:10.3f} {row['unit']}{bar}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def overhead(directory: Path, *, trials: int) -> list[dict[str, Any]]:
    """Return the wall time per trial with almost no work, of trajtune and of Ray Tune's defaults."""
    snapshot = snapshot_of_ladders(directory, 60)
    began = time.perf_counter()
    run = search(directory, snapshot, trials=1 + trials, training=TINY)
    # The research default is an additional trial, and not a tiny one.
    default = read_trials(read_study(run.path))[0]
    ours = (time.perf_counter() - began - default.seconds / CONCURRENT) / trials
    began = time.perf_counter()
    rays_default(snapshot, directory, trials)
    rays = (time.perf_counter() - began) / trials
    return [
        result("overhead: wall time per trial, trajtune", ours, "s"),
        result("overhead: wall time per trial, Ray Tune's defaults", rays, "s"),
        result("overhead: trajtune / Ray Tune's defaults", ours / rays, "times", most=MAX_OF_RAYS_DEFAULT),
    ]


def rays_default(snapshot: Snapshot, directory: Path, trials: int) -> None:
    """Run the same trials in the simplest way with Ray Tune."""
    from ray import tune

    train, val = (snapshot.read(split).arrays for split in ("train", "val"))
    encoder = snapshot.encoder()

    def trial(config: dict[str, Any]) -> None:
        params = Params(**TINY, learning_rate=config["learning_rate"])
        for epoch in fit(params, train, val, encoder.vocab_size, seed=0, title_words=words_of(encoder)):
            tune.report({"loss": epoch.metrics["val_next_role_nll"]})

    grid = tune.Tuner(
        tune.with_resources(trial, {"cpu": 1}),
        param_space={"learning_rate": tune.loguniform(1e-4, 1e-2)},
        tune_config=tune.TuneConfig(num_samples=trials, metric="loss", mode="min"),
        run_config=tune.RunConfig(storage_path=str(directory / "ray"), verbose=0),
    ).fit()
    if grid.num_errors:  # failed trials would make Ray Tune look faster
        raise RuntimeError(f"{grid.num_errors} of Ray Tune's trials failed, the first by: {grid.errors[0]}")


def efficiency(directory: Path, trials: int, careers: int) -> list[dict[str, Any]]:
    """Return seconds in epochs / (wall time × cores), on simulated careers with the default experiment."""
    experiment = on_simulated(directory, careers, trials=trials)
    snapshot = prepare(experiment)
    began = time.perf_counter()
    run = start_search(experiment, snapshot)
    wall = time.perf_counter() - began
    training = sum(trial.seconds for trial in read_trials(read_study(run.path)))
    share = training / (wall * CONCURRENT)
    name = f"efficiency: {trials} trials, {careers:,} careers"
    return [result(f"{name}, wall", wall, "s"), result(name, share, "share", least=MIN_EFFICIENCY)]


def value(directory: Path, space: str, trials: int, careers: int, seeds: int) -> list[dict[str, Any]]:
    """Return the epochs to the best of as many full-length random trials, as a share of their epochs.

    The result is the median over seeds.
    """
    snapshot = prepare(on_simulated(directory, careers))
    shares = []
    for seed in range(seeds):
        # With the same seed, TPE's random first trials would equal the random trials.
        random_trials = searched(
            snapshot,
            on_simulated(
                directory,
                careers,
                space=space,
                sampler="random",
                pruner={"name": "none"},
                trials=2 + trials,
                repeats=0,
                seed=1000 + seed,
            ),
        )
        drawn = [trial for trial in random_trials if trial.origin == SAMPLER_ORIGIN]
        target = min(trial.value for trial in drawn if trial.value is not None)
        epochs = sum(len(trial.epochs) for trial in drawn)
        ours = searched(snapshot, on_simulated(directory, careers, space=space, trials=1 + trials, seed=seed))
        ours = ours[1:]  # both searches begin with the research default, so it is left out
        shares.append(epochs_to(ours, target) / epochs)
        best = min(epoch["val_next_role_nll"] for trial in ours for epoch in trial.epochs)
        print(
            f"{space}, seed {seed}: best of {len(drawn)} random trials {target:.4f} in {epochs} epochs, "
            f"trajtune {best:.4f} in {sum(len(trial.epochs) for trial in ours)}, share {shares[-1]:.3f}",
            flush=True,
        )
    return [
        *(result(f"value in {space}: seed {seed}", share, "share") for seed, share in enumerate(shares)),
        result(
            f"value in {space}: epochs to the best of {trials} random, median of {seeds}",
            median(shares),
            "share",
            most=MAX_OF_RANDOMS_EPOCHS,
        ),
    ]


def luck(directory: Path, careers: int, seeds: int) -> list[dict[str, Any]]:
    """Return the variation of the best NLL of the default params between seeds."""
    snapshot = prepare(on_simulated(directory, careers))
    train, val = (snapshot.read(split).arrays for split in ("train", "val"))
    encoder = snapshot.encoder()

    @ray.remote(num_cpus=1)
    def best_of(seed: int) -> float:
        torch.set_num_threads(1)
        words = words_of(encoder)
        epochs = fit(Params(), train, val, encoder.vocab_size, seed=seed, title_words=words)
        return min(epoch.metrics["val_next_role_nll"] for epoch in epochs)

    best = ray.get([best_of.remote(seed) for seed in range(seeds)])
    return [
        result(f"seed noise: NLL of the default params, mean of {seeds} seeds", mean(best), "nats"),
        result("seed noise: standard deviation between seeds", stdev(best), "nats"),
        result("seed noise: best of the seeds", min(best), "nats"),
    ]


def searched(snapshot: Snapshot, experiment: Experiment) -> list[TrialRecord]:
    return read_trials(read_study(start_search(experiment, snapshot).path))


def on_simulated(directory: Path, careers: int, **settings: Any) -> Experiment:
    """Return the default experiment on simulated careers."""
    content = {
        "source": {"kind": "simulated", "careers": careers},
        "search": {"max_concurrent": CONCURRENT, **settings},
        "storage": {name: str(directory / "simulated" / name) for name in ("snapshots", "runs")},
    }
    return validate(Experiment, content, "benchmark")


def epochs_to(trials: list[TrialRecord], target: float) -> float:
    """Return the number of epochs until a value is at most ``target``; infinite if none is."""
    epochs = 0
    for trial in trials:
        for epoch in trial.epochs:
            epochs += 1
            if epoch["val_next_role_nll"] <= target:
                return epochs
    return float("inf")


def beside_plain(directory: Path, trials: int, careers: int, epochs: int) -> list[dict[str, Any]]:
    """Return the seconds to the same validation NLL, which is the worse of the two searches' best values."""
    base = RESEARCH_DEFAULT.model_copy(update={"max_epochs": epochs})
    experiment = on_simulated(directory, careers, space="around_default", trials=trials)
    experiment = experiment.model_copy(update={"training": base})
    with ray_session(num_cpus=CONCURRENT):
        snapshot = prepare(experiment)
    space = load_space(experiment.search.space)
    plain = plain_study(snapshot, space, base, trials=trials, cores=CONCURRENT, seed=0, directory=directory)
    written = io.StringIO()
    began = datetime.now(UTC)
    with redirect_stdout(written), ray_session(num_cpus=CONCURRENT):
        start_search(experiment, snapshot, flags=SessionFlags(json_log=True))
    events = map(json.loads, written.getvalue().splitlines())
    ours = [
        ((datetime.fromisoformat(event["time"]) - began).total_seconds(), event["val_next_role_nll"])
        for event in events
        if event["event"] == "epoch"
    ]
    target = max(min(nll for _, nll in reached) for reached in (plain, ours))
    seconds = {
        name: min(at for at, nll in reached if nll <= target)
        for name, reached in (("the plain loop in optuna.optimize", plain), ("trajtune", ours))
    }
    ratio = seconds["the plain loop in optuna.optimize"] / seconds["trajtune"]
    size = f"{trials} trials, {careers:,} careers"
    return [
        result(f"{size}: best NLL, the plain loop", min(nll for _, nll in plain), "nats"),
        result(f"{size}: best NLL, trajtune", min(nll for _, nll in ours), "nats"),
        result(f"{size}: total time, the plain loop", plain[-1][0], "s"),
        result(f"{size}: total time, trajtune", ours[-1][0], "s"),
        *(result(f"seconds to NLL {target:.4f}: {name}", value, "s") for name, value in seconds.items()),
        result(f"time to NLL {target:.4f}: plain / trajtune", ratio, "times", least=MIN_SPEED_UP),
    ]


def killed(directory: Path, kills: int) -> list[dict[str, Any]]:
    """Kill searches at random moments, and check every invariant after each search."""
    snapshot = snapshot_of_ladders(directory, 400)
    done: Counter[str] = Counter()
    searches = 0
    while done.total() < kills:
        folder = directory / f"killed-{searches}"
        folder.mkdir()
        experiment = an_experiment(
            folder, trials=10, training={"max_epochs": 9}, max_failures=20, pruner={"grace_period": 1}
        )
        left = min(12, kills - done.total())
        done += search_under_fire(experiment, snapshot.path, folder, kills=left, seed=searches)
        check_invariants(opened(experiment), 10)
        searches += 1
        print(f"search {searches}: {dict(done)}", flush=True)
    return [result(f"kills survived by {searches} searches", done.total(), "kills", least=kills)]


def search(directory: Path, snapshot: Snapshot, **settings: Any) -> Run:
    return start_search(an_experiment(directory, **settings), snapshot)


def an_experiment(directory: Path, *, training: dict[str, Any], **settings: Any) -> Experiment:
    return validate(
        Experiment,
        {
            "training": training,
            "search": {"space": "smoke", "max_concurrent": CONCURRENT, **settings},
            "storage": {"runs": str(directory / "runs")},
        },
        "benchmark",
    )


def snapshot_of_ladders(directory: Path, careers: int) -> Snapshot:
    storage = {"storage": {"snapshots": str(directory / "snapshots")}}
    return snapshot_of(loaded(ladder_careers(careers)), validate(Experiment, storage, "benchmark"))


if __name__ == "__main__":
    main()
