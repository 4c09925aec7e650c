"""The model card: intended use, data, metrics and limits (Mitchell et al. 2019)."""

from collections.abc import Mapping
from typing import Any

from trajtune.bundle.manifest import HTML_REPORT, METRICS
from trajtune.bundle.outcomes import hireability_name
from trajtune.finalizing.report.markdown import table
from trajtune.finalizing.report.verdict import freshness, measured_on, verdict
from trajtune.page.format import number, percent
from trajtune.page.units import nats


def model_card(m: Mapping[str, Any]) -> str:
    """``MODEL_CARD.md`` from the content of ``metrics.json``."""
    test, params = m["test"], m["params"]
    decision, reason = verdict(m)
    rows = [
        ["next role, top 1", percent(test["next_role_top1"])],
        ["next role, top 5", percent(test["next_role_top5"])],
        ["next role, NLL", nats(test["next_role_nll"]).text],
        *_as_selected(m),
        ["expected calibration error", percent(test["ece"])],
        ["the same, without the error that chance alone gives", percent(test["ece_debiased"])],
        ["tenure inside the interval", percent(test["tenure_coverage"])],
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

To suggest to a recruiter or a candidate which role may come next, how confident the model is, how long
the role may last, and how hireable the person is (see Data for what that means). A person decides. A
suggestion with a confidence below 0.6 is flagged.

**Not intended:** to reject, rank or pay anybody automatically; to judge a person's worth; for careers
of another country, trade or time than the training data.

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
- Tenure is calibrated on roles that have ended, weighted so that they stand for all roles. No estimate
  includes roles that last longer than anybody was observed.
- `trajtune predict` gives no prediction for a career of only unknown titles; the graph itself still does.
- {_history(m)}
- {_identity(m)}
- Careers change over time. Measure the model again on later careers.

## Fairness

The model learns what happened to people, and what happened was not always fair. A title can reveal
gender, age or origin (a gendered title, an apprenticeship of one country), so the output can depend on
them although they are not in the input. The model was not tested for equal treatment of groups, because
the data has no groups. Before it affects decisions about people: compare its errors between groups if
the law allows you to know them, let people see and contest their predictions, and check what the law of
your country requires of automated decisions in hiring.
"""


def _history(m: Mapping[str, Any]) -> str:
    limit, not_read = m["params"].get("max_history", 0), m.get("history", {"careers": 0, "roles": 0})
    if not limit:
        return "The model reads all roles of a career."
    return (
        f"The model reads the {limit} most recent roles of a career. In training, {not_read['careers']:,} "
        f"careers\n  had more roles before their last one, and {not_read['roles']:,} roles were not read."
    )


def _identity(m: Mapping[str, Any]) -> str:
    """Which titles are one title."""
    if m["data"].get("titles", {}).get("identity") == "unicode":
        return (
            "Titles that differ in case, spaces, punctuation and usual abbreviations are one. The service\n"
            "  reads only the letters A to Z and digits, so it may confuse two titles: see\n"
            f"  `{HTML_REPORT}`."
        )
    return (
        "Titles are matched as the service matches them: accents are dropped, and titles that differ only\n"
        "  in accents are one."
    )


def _priors(calibration: Mapping[str, Any]) -> str:
    """Sentences on the heads that were trained on no label."""
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
    """The same metrics of the winner before it was trained again; empty if it was not."""
    selected = m["as_selected"]
    if selected is None:
        return []
    shown = {"top 1": percent(selected["top1"]), "top 5": percent(selected["top5"])}
    shown["NLL"] = nats(selected["nll"]).text
    return [[f"as selected: next role, {name}", value] for name, value in shown.items()]
