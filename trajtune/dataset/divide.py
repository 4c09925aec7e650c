"""Divides careers in time: splits each partition, fits the vocabulary on train and encodes the splits."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import pyarrow as pa

from trajtune.careers.exchange.partitioned import PartitionedCareers
from trajtune.careers.exchange.partitions import Content
from trajtune.careers.schema import QUARANTINE, LoadedCareers
from trajtune.dataset.as_of import without_endless_roles
from trajtune.dataset.encode import encode_split, table_of
from trajtune.dataset.identity.synonyms import title_rule
from trajtune.dataset.profiling.drift import Sample, sample_of, whole_sample
from trajtune.dataset.profiling.facts import SplitFacts, facts_of
from trajtune.dataset.profiling.profile import profile, refuse_unknown
from trajtune.dataset.profiling.warnings import lone_date_warning, served_warnings, warnings
from trajtune.dataset.split import (
    NO_DAYS,
    SPLITS,
    DayCounts,
    SplitBy,
    careers_of_splits,
    deciding_dates,
    last_days_known,
    refuse_empty,
    split_dates,
)
from trajtune.dataset.titles import TitleEncoder
from trajtune.dataset.vocabulary_counts import count_titles
from trajtune.dataset.write_snapshot import Division
from trajtune.experiment.settings import AUTO, DataSettings, Experiment


def days_of(careers: PartitionedCareers, experiment: Experiment) -> DayCounts:
    """Return the histogram of the dates from which ``auto`` cutoffs are computed as quantiles."""
    merge_repeats = experiment.data.merge_repeats
    parts = careers.partitions.each(_deciding_days, experiment.split.by, careers.as_of, merge_repeats)
    return sum(parts, NO_DAYS)


def _deciding_days(content: Content, by: SplitBy, as_of: date, merge_repeats: bool) -> DayCounts:
    return DayCounts.of(deciding_dates(content["careers"], by, as_of=as_of, merge_repeats=merge_repeats))


def without_endless(careers: PartitionedCareers, last_day: date, merge_repeats: bool) -> PartitionedCareers:
    """Apply `without_endless_roles` to each partition."""
    zeros = dict.fromkeys(careers.counts, 0)
    partitions, reports = careers.partitions.map(
        _without_endless, zeros, last_day, merge_repeats, careers.rows_are_roles
    )
    counts, num_left_out = zeros, 0
    for changes, number in reports:
        counts = {name: counts[name] + changes[name] for name in zeros}
        num_left_out += number
    return careers.after(partitions, counts, {"held_too_long": num_left_out} if num_left_out else {})


def _without_endless(
    content: Content, zeros: Mapping[str, int], last_day: date, merge_repeats: bool, rows_are_roles: bool
) -> tuple[Content, tuple[Mapping[str, int], int]]:
    read = LoadedCareers(content["careers"], QUARANTINE.empty_table(), zeros, {}, date.max)
    kept = without_endless_roles(read, last_day, merge_repeats, rows_are_roles)
    quarantine = pa.concat_tables([content["quarantine"], kept.quarantine])
    return {"careers": kept.careers, "quarantine": quarantine}, (kept.counts, len(kept.quarantine))


def divide(
    careers: PartitionedCareers,
    experiment: Experiment,
    train_cutoff: date,
    val_cutoff: date,
    dates: DayCounts,
) -> tuple[Division, dict[str, SplitFacts]]:
    """Split the careers, fit the vocabulary on train, and encode the splits.

    Args:
        careers: The careers that were read.
        experiment: Settings of the split; its cutoffs are not used.
        train_cutoff: First day that is not train; for the refit, the first day of the calibration window.
        val_cutoff: First day that is not val.
        dates: Result of `days_of`; used for the warnings.

    Returns:
        The encoded splits, and the facts of each split.
    """
    data, by, as_of = experiment.data, experiment.split.by, careers.as_of
    cutoffs = (train_cutoff, val_cutoff)
    splits, sizes = careers.partitions.map(_split, cutoffs, by, as_of, data.merge_repeats)
    per_partition = list(sizes)
    total = {name: sum(size[name] for size in per_partition) for name in SPLITS}
    if not all(total.values()):
        refuse_empty(total, cutoffs, days_of(careers, experiment))
    rule = title_rule(experiment.vocabulary)
    tally = count_titles(splits, experiment.vocabulary, rule)
    # The vocabulary sees train only: `tally.train` contains no other spelling.
    encoder = TitleEncoder.fit(tally.train, rule=rule)
    known_until = dict(zip(SPLITS, last_days_known(*cutoffs, as_of), strict=True))
    firsts = [
        {name: sum(size[name] for size in per_partition[:number]) for name in SPLITS}
        for number in range(len(per_partition))
    ]
    encoded, reports = splits.map(_encode, encoder, data, by, cutoffs, known_until, total, own=firsts)
    facts, samples = _joined_reports(list(reports))
    refuse_unknown(facts, experiment.vocabulary)
    served = {name: asdict(facts[name].served) for name in SPLITS}
    titles_read = {"identity": rule.by, "synonyms": len(rule.synonyms), "as_served": served}
    described = profile(facts, tally.unseen, samples, experiment.vocabulary.min_count)
    description = _description(careers, cutoffs, described, experiment, dates)
    description["warnings"] += served_warnings(titles_read)
    description |= {"vocab_size": encoder.vocab_size, "titles": titles_read}
    return Division(encoded, encoder, description), facts


def _split(
    content: Content, cutoffs: tuple[date, date], by: SplitBy, as_of: date, merge_repeats: bool
) -> tuple[Content, dict[str, int]]:
    splits = careers_of_splits(content["careers"], cutoffs, by, as_of, merge_repeats)
    return splits, {name: len(part) for name, part in splits.items()}


def _encode(
    splits: Content,
    firsts: Mapping[str, int],
    encoder: TitleEncoder,
    settings: DataSettings,
    by: SplitBy,
    cutoffs: tuple[date, date],
    known_until: Mapping[str, date],
    total: Mapping[str, int],
) -> tuple[Content, dict[str, tuple[SplitFacts, Sample]]]:
    """Return the rows of a partition's files, and the facts and the part of the sample for each split."""
    since = dict(zip(SPLITS, (date.min, *cutoffs) if by == "move" else (None, None, None), strict=True))
    content, reports = {}, {}
    for name in SPLITS:
        encoded = encode_split(
            splits[name], encoder, settings, observed=known_until[name], ended_since=since[name]
        )
        content[name] = table_of(encoded)
        facts = facts_of(encoded, encoder, cutoffs[0], counts_titles=name == "train")
        reports[name] = (facts, sample_of(encoded, firsts[name], total[name]))
    return content, reports


def _joined_reports(
    reports: list[dict[str, tuple[SplitFacts, Sample]]],
) -> tuple[dict[str, SplitFacts], dict[str, Sample]]:
    facts = {}
    for name in SPLITS:
        first, *others = (report[name][0] for report in reports)
        facts[name] = sum(others, first)
    return facts, {name: whole_sample([report[name][1] for report in reports]) for name in SPLITS}


def _description(
    careers: PartitionedCareers,
    cutoffs: tuple[date, date],
    described: dict[str, dict[str, Any]],
    experiment: Experiment,
    dates: DayCounts,
) -> dict[str, Any]:
    named = {"train": cutoffs[0], "val": cutoffs[1]}
    warned = warnings(described, dates, named, experiment.split.by)
    if experiment.data.as_of == AUTO:
        last_known = sum(careers.partitions.each(_last_known_days), NO_DAYS)
        lone = lone_date_warning(last_known, careers.as_of)
        warned += [lone] if lone is not None else []
    return {
        "source": dict(careers.source),
        "as_of": careers.as_of.isoformat(),
        "cutoffs": {name: cutoff.isoformat() for name, cutoff in named.items()},
        "counts": dict(careers.counts),
        "quarantine": dict(sorted(careers.reasons.items())),
        "splits": described,
        "warnings": warned,
        "hireability": (
            f"label {experiment.data.hireable_key}"
            if experiment.data.hireable_key
            else f"proxy: stayed at least {experiment.data.hireable_months} months in the next role"
        ),
        "settings": {
            "data": experiment.data.model_dump(mode="json"),
            "split": experiment.split.model_dump(mode="json"),
            "vocabulary": experiment.vocabulary.model_dump(mode="json"),
        },
    }


def _last_known_days(content: Content) -> DayCounts:
    return DayCounts.of(split_dates(content["careers"]))
