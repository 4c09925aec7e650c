"""The model card: intended use, data, metrics and limits (Mitchell et al. 2019)."""

from collections.abc import Mapping
from typing import Any

from trajtune.bundle.manifest import HTML_REPORT, METRICS
from trajtune.bundle.outcomes import hireability_name
from trajtune.finalizing.report.markdown import table
from trajtune.finalizing.report.verdict import freshness, measured_on, verdict
from trajtune.page.format import number, percent


def model_card(m: Mapping[str, Any]) -> str:
    """``MODEL_CARD.md`` from the content of ``metrics.json``."""
    test, params = m["test"], m["params"]
    decision, reason = verdict(m)
    rows = [
        ["next role, top 1", percent(test["next_role_top1"])],
        ["next role, top 5", percent(test["next_role_top5"])],
        ["next role, NLL in nats", number(test["next_role_nll"])],
        *_as_selected(m),
        ["expected calibration error", number(test["ece"])],
        ["the same without that of chance", number(test["ece_debiased"])],
        ["tenure interval holds", percent(test["tenure_coverage"])],
        [f"{hireability_name(m['hireability_label'])}, AUC", number(test["hireability_auc"])],
        ["career changers, top 1", percent(m["career_changers"]["top1"])],
    ]
    return f"""# Model card: {m["run"]}

**{decision}** {reason}

## What it is

A bidirectional LSTM over the titles of a career so far ({params["num_layers"]} layers of
{params["hidden_dim"]} units each way, title vectors of {params["embedding_dim"]}). It reads titles and
their order: no names, no ages, no employers, no dates, no schools.{_mixed(m)}

## Intended use

To suggest to a recruiter or a candidate which role may come next, how sure that is, how long it may
last, and how hireable somebody is (see Data for what that means). A person decides. Below a confidence
of 0.6 the suggestion is flagged.

**Not intended:** to reject, rank or pay anybody automatically; to judge a single person's worth;
careers of another country, trade or time than those it was trained on.

## Data

{measured_on(m)}
Hireability means: {m["hireability_label"]}.{_priors(m["calibration"])}

## Metrics on test

{table(["", ""], rows)}

{freshness(m)}

By length of history, level and time: `{HTML_REPORT}` and `{METRICS}`.

## Limits

- Titles that training never saw are unknown: {test["num_unseen_targets"]:,} of {test["num_examples"]:,}
  people in test moved to one, and the model cannot name it.
- Tenure is calibrated on roles that ended, weighted so that they stand for all. Roles that last longer than
  anybody has been observed are in no estimate.
- A career of unknown titles alone gets no prediction from `trajtune predict`; the graph answers it all
  the same.
- {_identity(m)}
- Careers change with the times. Measure again on later careers before relying on it for long.

## Fairness

The model learns what happened to people, and what happened was not always fair. A title can give away
gender, age or origin (a gendered title, an apprenticeship of one country), so leaving those out of the
input does not make the output blind to them. It was not tested for equal treatment of groups, because
the data holds none. Before it touches decisions on people: compare its errors between groups where the
law lets you know them, let people see and contest what it says of them, and check what the law where
you are asks of automated decisions in hiring.
"""


def _identity(m: Mapping[str, Any]) -> str:
    """Which titles are one title."""
    if m["data"].get("titles", {}).get("identity") == "unicode":
        return (
            "Titles that differ in case, spaces, punctuation and usual abbreviations are one. The service\n"
            "  reads the letters A to Z and digits alone, so it may take a title for another one: see\n"
            f"  `{HTML_REPORT}`."
        )
    return (
        "Titles are matched as the service matches them: accents are dropped, and titles that differ in\n"
        "  nothing else are one."
    )


def _priors(calibration: Mapping[str, Any]) -> str:
    """Sentences on the heads that saw no label."""
    heads = {"tenure_from": "tenure interval", "hireability_from": "hireability"}
    return "".join(
        f"\nThe {name} is the same for every career: training knew no label of it."
        for key, name in heads.items()
        if calibration[key] == "prior"
    )


def _mixed(m: Mapping[str, Any]) -> str:
    """A sentence on the n-gram, if it is part of the model."""
    if not m["ngram_share"]:
        return ""
    return (
        "\nIts probabilities of titles are mixed with those of an n-gram model, which counts what followed "
        f"the last\ntitles; the n-gram has a weight of {percent(m['ngram_share'], 0)}."
    )


def _as_selected(m: Mapping[str, Any]) -> list[list[str]]:
    """The same metrics of the winner before it was trained again; none if it was not."""
    selected = m["as_selected"]
    if selected is None:
        return []
    shown = {"top 1": percent(selected["top1"]), "top 5": percent(selected["top5"])}
    shown["NLL in nats"] = number(selected["nll"])
    return [[f"as selected: next role, {name}", value] for name, value in shown.items()]
