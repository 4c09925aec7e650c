"""The report's sections on how good the model is: next role, gains, career changers, segments."""

from collections.abc import Mapping
from typing import Any, Final

from trajtune.finalize.report.markdown import number, percent, table, words

_NEXT_ROLE = ("top1", "top5", "mrr", "nll")
_HEADER = ("top 1", "top 5", "reciprocal rank", "NLL (nats)")
SEGMENTS: Final = {
    "history_length": "length of history",
    "level": "level of the current title",
    "last_title": "current title in the vocabulary",
    "quarter": "quarter of the last known date",
}
"""The ways to part the people, in words."""


BASELINES_IN_WORDS: Final = (
    "The one-line rules: majority always names the commonest next titles; current title says that nothing "
    "changes; markov looks up what most often followed the current title, markov2 what followed the last two."
)


def next_role(m: Mapping[str, Any]) -> str:
    """The model beside the research default, the baselines and the limit."""
    test = m["test"]
    others = _others(m)
    rows = [["**this model**", *(number(test[f"next_role_{name}"]) for name in _NEXT_ROLE)]]
    intervals = [test[f"next_role_{name}_interval"] for name in _NEXT_ROLE]
    rows.append(["95 % interval", *(f"{number(i[0])} to {number(i[1])}" if i else "" for i in intervals)])
    rows += [[words(name), *(number(found[key]) for key in _NEXT_ROLE)] for name, found in others.items()]
    return (
        "## Next role\n\n"
        + table(["", *_HEADER], rows)
        + f"\n\n{test['num_unseen_targets']:,} of {test['num_examples']:,} people moved to a title "
        "that was never seen in training. No model of this kind can name it: they count as misses, and are "
        "left out of the NLL.\n\n"
        f"{BASELINES_IN_WORDS}"
    )


def gains(m: Mapping[str, Any]) -> str:
    """What the model gains over each other predictor, with paired intervals."""
    rows = []
    for name, found in m["gains"].items():
        cells = [_gain(found[key]) for key in _NEXT_ROLE]
        rows.append([words(name), *cells])
    return (
        "## Gain over others\n\nOn the same people, with 95 % bootstrap intervals by person. Positive is "
        "better; an interval that holds 0 may be luck.\n\n" + table(["this model against", *_HEADER], rows)
    )


def _gain(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "not known"
    return f"{found['gain']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"


def changers(m: Mapping[str, Any]) -> str:
    """People who change career, and whether the model only repeats the current title."""
    found = m["career_changers"]
    rows = [["**this model**", *_changer_row(found)]]
    rows += [[words(name), *_changer_row(other["career_changers"])] for name, other in _others(m).items()]
    sentence = {
        None: "There is no career changer in the test split, so nothing is known of them.",
        True: "**One-step lag detected: the model mostly repeats the title that somebody has now.**",
        False: "No one-step lag: the model does not merely repeat the title that somebody has now.",
    }[found["one_step_lag_detected"]]
    return (
        "## Career changers\n\nPeople whose next title shares under half of its core words with their "
        "current one. "
        + f"They are {found['num']:,} of {found['everybody']['num']:,} people.\n\n"
        + table(
            ["career changers", "top 1", "top 5", "NLL", "predicted = current", "everybody: top 1", "same"],
            rows,
        )
        + f"\n\n{sentence}{lag_of_the_limit(m)}"
    )


def lag_of_the_limit(m: Mapping[str, Any]) -> str:
    """On simulated careers, whether a lag is the model's fault at all; else nothing."""
    limit = m["bayes_limit"]
    if not limit or not m["career_changers"]["one_step_lag_detected"]:
        return ""
    rate = limit["career_changers"]["same_title_rate"]
    return (
        f" The best possible prediction of these simulated careers repeats it for {percent(rate)} of them, "
        "so little does their history say of the change."
    )


def _others(m: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Who stands beside the model: research default, baselines, limit, as far as there are such."""
    every = {"research_default": m["research_default"], **m["baselines"], "best possible": m["bayes_limit"]}
    return {name: found for name, found in every.items() if found}


def _changer_row(found: Mapping[str, Any]) -> list[str]:
    own = [number(found[key]) for key in ("top1", "top5", "nll", "same_title_rate")]
    return [*own, *(number(found["everybody"][key]) for key in ("top1", "same_title_rate"))]


def segments(m: Mapping[str, Any]) -> str:
    """The same numbers for parts of the people."""
    parts = ["## For whom\n\nSmall groups say little; look at the number of people first."]
    for way, rows in m["segments"].items():
        cells = [
            [
                row["segment"],
                f"{row['num']:,}",
                number(row["top1"]),
                number(best_baseline(m, row)),
                number(row["top5"]),
                number(row["nll"]),
                number(row["ece"]),
                percent(row["tenure_coverage"]),
                number(row["tenure_width_months"]),
            ]
            for row in rows
        ]
        header = [f"By {SEGMENTS[way]}", "people", "top 1", "best baseline's", "top 5", "NLL", "ECE"]
        parts.append(table([*header, "tenure inside", "interval, months wide"], cells))
    return "\n\n".join(parts)


def best_baseline(m: Mapping[str, Any], row: Mapping[str, Any]) -> float:
    """The best top-1 accuracy of a baseline in one segment."""
    return max(float(row["others"][name]["top1"]) for name in m["baselines"])
