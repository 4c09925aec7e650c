"""Measure how often gates and intervals are wrong, on simulated populations with known truth.

For each population, the best possible predictions represent a perfect model. They are given known faults:
confidences that are too extreme, intervals that are too narrow or too wide, sets that are too small,
hireability scores without ranking ability, or pure repetition of the current title. Two equally good
predictors are made from the best possible one by adding independent noise of the same size. Nothing is
trained, because the true quality of a trained network is not known. The table shows, by number of test people
(for calibrations: number of people to calibrate on):

- *false alarm*: how often a gate fails a model without the fault (or, for `beats baselines`, passes a model
  that is only equally good). The bar is 5 %;
- *power*: how often a gate detects a fault of the given size;
- *undecided*: how often a gate reports "too few people" for a model without the fault;
- *coverage of a gain*, or of another difference: how often a 95 % interval contains the truth. The bar is two
  points from 95 %;
- *coverage* of tenure intervals and of title sets: the share of new people inside. The bar is two points from
  80 %. *Confidence minus accuracy* has a bar of two points from 0.

    python -m benchmarks.verdicts [--quick] [--json FILE] [--markdown FILE] [--populations N]

A measured rate has a standard error, which is 1.5 points for 5 % of 200 populations. A bar is therefore
missed only if the difference exceeds chance (one-sided, 95 %). Measured populations are kept in the file of
``--keep`` and not measured again, so an interrupted run can be continued. Delete the file after a change of
the gates or the calibration.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.rows import result
from benchmarks.verdict_intervals import (
    calibrated_tenure,
    confidence,
    contains,
    holds_known_gain,
    title_sets,
    with_true_coverage,
)
from benchmarks.verdict_populations import COVERAGE, Population, simulated, take
from trajtune.experiment.gate_settings import GateSettings
from trajtune.experiment.sources import ProcessSettings
from trajtune.finalizing.evaluate import decide
from trajtune.finalizing.evaluate.bootstrap import Gain, interval, mean_gain
from trajtune.finalizing.evaluate.calibration_test import calibration_test
from trajtune.finalizing.evaluate.decide import FAILED, PASSED, TOO_FEW
from trajtune.finalizing.evaluate.lag import (
    movers,
    movers_gain,
    predicts_too_much_staying,
    staying,
    worse_for_movers,
)
from trajtune.finalizing.evaluate.outcome_gains import auc_gain, tenure_score_gain
from trajtune.model.baselines.baselines import fit_baselines
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.metrics import next_role_scores, tenure_metrics
from trajtune.model.predictions import Predictions

SIZES: Final = (200, 1000, 5000)
POPULATIONS: Final = 200
QUICK: Final = 20
TRAIN: Final = 2000
LIMITS: Final = GateSettings()
NGRAM: Final = NGramChoice(2, "all", None, None, 0.1)
ALARM: Final = 0.05
OFF: Final = 0.02
NOMINAL: Final = {
    "coverage of title sets": COVERAGE,
    "coverage of the tenure interval": COVERAGE,
    "coverage": 0.95,
    "confidence": 0.0,
}
"""Nominal value of the rows whose names begin so; the first that fits counts."""

Event = tuple[str, int, float]
"""Name, number of people, and a measured number: 1 or 0 if something happened or not, or a share."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} populations")
    parser.add_argument("--populations", type=int, default=POPULATIONS)
    parser.add_argument(
        "--keep", type=Path, default=Path("verdicts.jsonl"), help="file of the measured populations"
    )
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for events in rows_of(QUICK if options.quick else options.populations, options.keep):
        for name, size, value in events:
            found[name, size].append(value)
    rows = [row_of(name, size, values) for (name, size), values in sorted(found.items())]
    for row in rows:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:66} {row['value']:6.3f}{bar}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    if options.markdown:
        options.markdown.write_text(markdown(found), encoding="utf-8")


def rows_of(number: int, keep: Path) -> Iterator[list[Event]]:
    """Yield the events of each part of each population, measured or read from the file.

    The file has a line for each part of a population that was measured.
    """
    kept: dict[tuple[str, int], list[Event]] = {}
    for line in keep.read_text("utf-8").splitlines() if keep.is_file() else []:
        row = json.loads(line)
        kept[row["part"], row["population"]] = [(name, size, value) for name, size, value in row["events"]]
    for population in range(number):
        for part, measure in PARTS.items():
            if (part, population) not in kept:
                events = list(measure(population))
                with keep.open("a", encoding="utf-8") as file:
                    row = {"part": part, "population": population, "events": events}
                    file.write(json.dumps(row) + "\n")
                print(f"{part} {population + 1}", flush=True)
                kept[part, population] = events
            yield kept[part, population]


def row_of(name: str, size: int, values: Sequence[float]) -> dict[str, Any]:
    """Return a row of the table; the bar is widened by the sampling error.

    The value of a row with a nominal value is compared as its distance from it.
    """
    rate, title = float(np.mean(values)), f"{name}, {size:,} people"
    if name.startswith("false alarm"):
        allowed = 1.645 * (ALARM * (1 - ALARM) / len(values)) ** 0.5
        return {**result(title, rate, "share", most=ALARM + allowed), "populations": len(values)}
    nominal = next((value for start, value in NOMINAL.items() if name.startswith(start)), None)
    if nominal is None:
        return {**result(title, rate, "share"), "populations": len(values)}
    variance = nominal * (1 - nominal) if set(values) <= {0, 1} else float(np.var(values))
    allowed = 1.645 * (variance / len(values)) ** 0.5
    distance = result(title, abs(rate - nominal), "share", most=OFF + allowed)
    return {**distance, "value": rate, "nominal": nominal, "populations": len(values)}


def markdown(found: Mapping[tuple[str, int], Sequence[float]]) -> str:
    """Return a table with a row for each name and a column for each number of people."""
    lines = [f"| | {' | '.join(f'{size:,} people' for size in SIZES)} |", "|---" * (len(SIZES) + 1) + "|"]
    for name in sorted({name for name, _ in found}):
        cells = (found.get((name, size)) for size in SIZES)
        lines.append(f"| {name} | {' | '.join(f'{np.mean(cell):.3f}' if cell else '' for cell in cells)} |")
    return "\n".join(lines) + "\n"


def simulated_people(number: int) -> Iterator[Event]:
    """Yield the events of one population of simulated careers."""
    random = np.random.default_rng([number, 1])
    people = simulated(drawn_settings(random), TRAIN + sum(SIZES), seed=number)
    people = replace(people, best=replace(people.best, tenure=with_true_coverage(people)))
    train = take(people, np.arange(TRAIN))
    first = TRAIN
    for size in SIZES:
        test = take(people, np.arange(first, first + size))
        first += size
        for part in (calibration, tenure, hireability, lag, next_role):
            for name, happened in part(train, test, random):
                yield name, size, float(happened)
        coverage = calibrated_tenure(people, size, random)
        if coverage is not None:
            yield "coverage of the tenure interval", size, coverage


def people_with_known_probabilities(number: int) -> Iterator[Event]:
    """Yield the events of one population whose probabilities of the next title are given."""
    random = np.random.default_rng([number, 2])
    for size in SIZES:
        yield "coverage of a gain in NLL", size, float(holds_known_gain(size, random))
        for name, value in (*title_sets(size, random), *confidence(size, random)):
            yield name, size, float(value)


PARTS: Final = {"careers": simulated_people, "probabilities": people_with_known_probabilities}
"""What is measured in each population, by name in the file of measured populations."""


def drawn_settings(random: np.random.Generator) -> ProcessSettings:
    """Return random settings of a population with few titles, so that the optimum is computed in seconds."""
    return ProcessSettings(
        num_families=int(random.integers(2, 6)),
        num_specialisations=int(random.integers(2, 6)),
        repeats=float(random.uniform(0, 3)),
        returns=float(random.choice([0.0, 0.2])),
        first_role_path=float(random.choice([0.0, 0.5])),
        even_tenures=float(random.uniform(0, 1)),
        mean_roles=float(random.uniform(2.5, 5)),
    )


def calibration(
    train: Population, test: Population, random: np.random.Generator
) -> Iterator[tuple[str, bool]]:
    """Yield verdicts on true confidences, and on confidences that are too extreme by twice the limit."""
    said, correct = test.best.confidence, test.best.correct
    shift = np.where(said > 0.5, 0.1, -0.1)
    for name, given in (("true", said), ("extreme", np.clip(said + shift, 0, 1))):
        found = {**calibration_test(given, correct, LIMITS.calibration_error), "num_examples": len(given)}
        gate = decide.calibration(found, LIMITS.calibration_error, "")["result"]
        yield from verdicts("calibration", gate, fault="0.1 too extreme" if name == "extreme" else None)


def tenure(train: Population, test: Population, random: np.random.Generator) -> Iterator[tuple[str, bool]]:
    """Yield verdicts on intervals with 80 % coverage, and on halved and doubled ones.

    The coverage gate is decided with every tenure known, as with a split by move, and with the roles still
    held that the simulation has.
    """
    best = test.best
    ended = replace(best, tenure_months=test.true_months, tenure_at_least=test.true_months)
    middle, half = best.tenure.mean(1, keepdims=True), np.diff(best.tenure, axis=1) / 2
    for own, name in ((ended, "tenure coverage"), (best, "tenure coverage, some roles held")):
        for fault, factor in ((None, 1.0), ("half as wide", 0.5)):
            made = replace(own, tenure=middle + half * factor * np.array([-1, 1]))
            found = tenure_metrics(made)
            gate = decide.coverage(
                found["tenure_coverage"],
                int(found["num_tenures"] or 0),
                nominal=COVERAGE,
                limit=LIMITS.tenure_coverage,
                rule="",
                effective=found["num_tenures_effective"],
            )
            yield from verdicts(name, gate["result"], fault)

    def noisy() -> Predictions:
        factors = random.lognormal(0, 0.3, (len(best), 1))
        return replace(best, tenure=middle + half * factors * np.array([-1, 1]))

    others = [noisy() for _ in range(2)]
    wide = replace(best, tenure=middle + half * 2 * np.array([-1, 1]))
    for fault, own in ((None, noisy()), ("twice as wide", wide)):
        person = np.arange(len(best))
        gains = {str(n): tenure_score_gain(own, other, person, COVERAGE) for n, other in enumerate(others)}
        people = int((~np.isnan(best.tenure_months)).sum())
        yield from verdicts(
            "tenure score", decide.not_worse(gains, people, LIMITS.tenure_score, "")["result"], fault
        )
        if fault is None and (found_gain := gains["0"]):
            yield "coverage of a gain in tenure score", contains(found_gain, 0.0)


def hireability(
    train: Population, test: Population, random: np.random.Generator
) -> Iterator[tuple[str, bool]]:
    """Yield verdicts on the true probability with noise, and on pure noise."""
    best, spread = test.best, float(test.best.hireability.std())

    def noisy(share: float) -> Predictions:
        noise = random.normal(0, spread, len(best)).astype(np.float32)
        return replace(best, hireability=share * best.hireability + noise)

    others = [noisy(1.0) for _ in range(3)]
    for fault, share in ((None, 1.0), ("ranks nothing", 0.0)):
        own = noisy(share)
        gains = {str(n): auc_gain(own, other, np.arange(len(best))) for n, other in enumerate(others)}
        gate = decide.not_worse(gains, len(best), LIMITS.hireability_auc, "")
        yield from verdicts("hireability", gate["result"], fault)
        if fault is None and (found := gains["0"]):
            yield "coverage of a gain in AUC", contains(found, 0.0)


def lag(train: Population, test: Population, random: np.random.Generator) -> Iterator[tuple[str, bool]]:
    """Yield verdicts on the best possible prediction and on pure repetition, compared with the baselines."""
    fitted = fit_baselines(train.arrays, train.num_titles, NGRAM)
    others = {name: one.predict(test.arrays, test.examples) for name, one in fitted.items()}
    for fault, own in ((None, test.best), ("pure repetition", others["current_title"])):
        found = staying(own, test.current)
        gains = {name: movers_gain(own, other, test.moved) for name, other in others.items()}
        detected = predicts_too_much_staying(found, LIMITS.staying) or bool(worse_for_movers(gains))
        record = {
            "staying": found,
            "movers": movers(own, test.moved),
            "movers_gains": gains,
            "one_step_lag_detected": detected,
        }
        yield from verdicts("one-step lag", decide.lag(record, LIMITS, "")["result"], fault)
    excess = np.exp(-test.best.stay_nll) - (test.best.target == test.current)
    low, high = interval(excess) or (0.0, 0.0)
    yield "coverage of the excess of staying", low <= 0 <= high


def next_role(train: Population, test: Population, random: np.random.Generator) -> Iterator[tuple[str, bool]]:
    """Yield verdicts on a predictor that is equally good as the others, on a better and on a worse one."""

    def blunted(most: float) -> Predictions:
        share = random.uniform(0, most, len(test.best))
        probability = (1 - share) * np.exp(-test.best.nll) + share / (test.num_titles - 1)
        return replace(test.best, nll=-np.log(probability))

    others = [blunted(0.4) for _ in range(3)]
    for name, most in (("equal", 0.4), ("better", 0.0), ("worse", 0.8)):
        own = blunted(most)
        gains = {str(number): gains_of(own, other) for number, other in enumerate(others)}
        gate = decide.beats(gains, len(own), LIMITS.nll_gain, "", own=None)
        if name == "equal":
            yield "false alarm: beats baselines passes an equal", gate["result"] == PASSED
            is_worse = (gate["finding"] or "").startswith("significantly worse")
            yield "false alarm: beats baselines calls an equal worse", is_worse
            if found := gains["0"]["nll"]:
                yield "coverage of a gain in NLL that is 0", contains(found, 0.0)
        elif name == "better":
            yield "power: beats baselines passes one that is better", gate["result"] == PASSED
        else:
            yield "power: beats baselines fails one that is worse", gate["result"] == FAILED


def gains_of(own: Predictions, other: Predictions) -> dict[str, Gain | None]:
    """Return the gains that the gate `beats baselines` uses; see `bootstrap.gain`."""
    scores, others = next_role_scores(own), next_role_scores(other)
    return {
        "nll": mean_gain((others["nll"] - scores["nll"])[None]),
        "top1": mean_gain((scores["top1"] - others["top1"])[None]),
    }


def verdicts(gate: str, result: str, fault: str | None) -> Iterator[tuple[str, bool]]:
    """Yield the verdicts of a gate on a model with a fault, or without one (None)."""
    if fault is None:
        yield f"false alarm: {gate}", result == FAILED
        yield f"undecided: {gate}", result == TOO_FEW
    else:
        yield f"power: {gate}, {fault}", result == FAILED


if __name__ == "__main__":
    main()
