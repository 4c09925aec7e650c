"""Summarises a snapshot on one screen: rows read, rows left out and why, and the splits."""

from collections.abc import Mapping
from typing import Any

from trajtune.dataset.snapshot import Snapshot


def summary(snapshot: Snapshot) -> str:
    """Summarise a snapshot as plain text for a terminal. Only the manifest is read."""
    manifest = snapshot.manifest
    counts, splits, cutoffs = manifest["counts"], manifest["splits"], manifest["cutoffs"]
    lines = [
        f"Snapshot {snapshot.path}",
        f"  source      {describe_source(manifest['source'])}, as of {manifest['as_of']}",
        f"  rows        {counts['rows_in']:,} in = {counts['rows_kept']:,} kept + "
        f"{counts['rows_quarantined']:,} in quarantine + {counts['rows_duplicate']:,} duplicate",
        f"  careers     {counts['careers']:,} of {counts['careers_in']:,}",
        f"  vocabulary  {manifest['vocab_size'] - 1:,} titles, from train alone",
        f"  cutoffs     train before {cutoffs['train']}, val before {cutoffs['val']}, test from then on",
    ]
    for name, split in splits.items():
        lines.append(
            f"  {name:<11} {split['careers']:,} careers, {split['first']} to {split['last']}, "
            f"{split['still_held']:.0%} still in the last role, "
            f"of the last titles {split['unseen_targets']:.1%} never seen in train and "
            f"{split['unknown_targets']:.1%} unknown, {_times(name, split)}{_drift(split)}"
        )
    if otherwise := _served_otherwise(manifest):
        lines.append(f"  service     {otherwise}")
    if manifest["quarantine"]:
        reasons = sorted(manifest["quarantine"].items(), key=lambda item: (-item[1], item[0]))
        lines.append("  quarantine  " + ", ".join(f"{reason} {count:,}" for reason, count in reasons))
    lines += [f"  WARNING     {warning}" for warning in manifest["warnings"]]
    return "\n".join(lines)


def _times(name: str, split: Mapping[str, Any]) -> str:
    """Return when the last roles began; shares that carry no information are left out."""
    early, same_day = split["targets_before_train_cutoff"], split["targets_on_input_day"]
    words = f"{early:.1%} of the last roles begun before the train cutoff, " if name != "train" else ""
    return words + (f"{same_day:.1%} on the day of the role before, " if same_day else "")


def _served_otherwise(manifest: Mapping[str, Any]) -> str:
    """Return how many roles and targets the service does not see as the model does; empty if none."""
    parts = [
        f"{name}: {counts['another_roles']:,} roles ({counts['another_targets']:,} targets) as another "
        f"title, {counts['missing_roles']:,} ({counts['missing_targets']:,}) not at all"
        for name, counts in manifest.get("titles", {"as_served": {}})["as_served"].items()
        if counts["another_roles"] + counts["missing_roles"]
    ]
    return "sees " + "; ".join(parts) if parts else ""


def _drift(split: Mapping[str, Any]) -> str:
    """Return the stability index, and its value by chance if the manifest contains that."""
    by_chance = split.get("psi_by_chance")
    return f"drift {split['psi']:.2f}" + (f" (chance gives up to {by_chance:.2f})" if by_chance else "")


def describe_source(source: dict[str, object]) -> str:
    """Describe the source in a few words. SIMULATED is written in capitals."""
    where = source.get("table") or source.get("path") or source.get("query")
    kind = str(source["kind"])
    words = kind.upper() if kind == "simulated" else kind
    return f"{words} ({where})" if where else words
