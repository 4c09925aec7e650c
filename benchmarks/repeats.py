"""Compare repeating known params with another seed to trying new params: `python -m benchmarks.repeats`.

Searches are simulated in numpy. The true value of a point is a weighted quadratic function of eight
dimensions, and each training adds the noise of its seed. At the end of a search, as in finalize, the best
three points by mean are trained with three further seeds, and the best mean wins. The regret is the true
value of the winner above the minimum, in standard deviations of the points. It is printed with its standard
error.
"""

import argparse
import math

import numpy as np

DIMENSIONS, TOP, SEEDS, RACED = 8, 3, 3, 4
WEIGHTS = 0.5 ** np.arange(DIMENSIONS)
TRIALS = (8, 16, 20, 30, 50, 100)
CORRELATIONS = (0.75, 0.94, 0.98)
"""Correlations between two seeds over the points; 0.94 was measured on 6,000 simulated careers."""


def main() -> None:
    """Print a line for each correlation and number of trials."""
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
                label = "none" if repeats is None else f"2 + {repeats}"
                line.append(f"{label}: {np.mean(regrets):.3f} ± {error:.3f}")
            print(f"r = {correlation}, {trials:3} trials: {', '.join(line)}", flush=True)


def _regret(rng: np.random.Generator, trials: int, repeats: int | None, noise: float) -> float:
    """Return the regret of a search with ``repeats`` of the best points and two of the first; None: none."""
    # One trial is the research default, which is not part of the simulation.
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
    """Return the standard deviation of the values: weighted squared differences of two uniform numbers."""
    return float(np.sqrt(np.sum(WEIGHTS**2) * (1 / 15 - 1 / 36)))


if __name__ == "__main__":
    main()
