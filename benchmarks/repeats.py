"""Whether another seed of known params is worth more than a new point: `python -m benchmarks.repeats`.

Simulates searches in numpy. A point's true value lies in a bowl of eight dimensions of falling weight, and a
training adds the noise of its seed. Each search ends as finalize does: the best three by mean are trained
with three further seeds, and the best mean of those wins. Printed is the true value of the winner above the
least of the bowl, in standard deviations of the points, with its standard error.
"""

import argparse
import math

import numpy as np

DIMENSIONS, TOP, SEEDS, RACED = 8, 3, 3, 4
WEIGHTS = 0.5 ** np.arange(DIMENSIONS)
TRIALS = (8, 16, 20, 30, 50, 100)
CORRELATIONS = (0.75, 0.94, 0.98)
"""Of two seeds over the points; .94 was measured on 6,000 simulated careers."""


def main() -> None:
    """Print a line for each number of trials and correlation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=2000)
    searches = parser.parse_args().searches
    rng = np.random.default_rng(0)
    for correlation in CORRELATIONS:
        noise = math.sqrt(1 / correlation - 1)
        for trials in TRIALS:
            line = []
            for repeats in dict.fromkeys((None, 0, trials // 10)):
                if repeats is not None and trials - 3 - repeats < TOP:
                    continue
                regrets = [_regret(rng, trials, repeats, noise) for _ in range(searches)]
                error = np.std(regrets) / math.sqrt(searches)
                said = "none" if repeats is None else f"2 + {repeats}"
                line.append(f"{said}: {np.mean(regrets):.3f} ± {error:.3f}")
            print(f"r = {correlation}, {trials:3} trials: {', '.join(line)}", flush=True)


def _regret(rng: np.random.Generator, trials: int, repeats: int | None, noise: float) -> float:
    """The regret of one search; ``repeats`` of the best, beside two of the first point, or None at all."""
    # One trial is the research default, which is another function.
    points = trials - 1 - (0 if repeats is None else 2 + repeats)
    values = ((rng.random((points, DIMENSIONS)) - rng.random(DIMENSIONS)) ** 2 @ WEIGHTS) / _spread()
    sums, counts = values + noise * rng.normal(size=points), np.ones(points)
    if repeats is not None:
        sums[0] += 2 * values[0] + noise * math.sqrt(2) * rng.normal()
        counts[0] += 2
    for _ in range(repeats or 0):
        means = sums / counts
        best = np.argsort(means)[:RACED]
        luck = 2 * noise * np.sqrt(1 / counts[best] + 1 / counts[best[0]])
        rivals = best[means[best] - means[best[0]] <= luck]
        again = min(rivals, key=lambda point: (counts[point], means[point]))
        sums[again] += values[again] + noise * rng.normal()
        counts[again] += 1
    finalists = np.argsort(sums / counts)[:TOP]
    refitted = values[finalists] + noise / math.sqrt(SEEDS) * rng.normal(size=len(finalists))
    return float(values[finalists[np.argmin(refitted)]])


def _spread() -> float:
    """Standard deviation of the values: that of a squared difference of two uniform numbers, weighted."""
    return float(np.sqrt(np.sum(WEIGHTS**2) * (1 / 15 - 1 / 36)))


if __name__ == "__main__":
    main()
