"""The content of a ``backtest.json``, from numbers alone."""

from typing import Any

from trajtune.finalizing.report.over_time import SCHEMA_VERSION

GAIN = {"gain": 0.2, "low": 0.1, "high": 0.3, "p_better": 0.001, "p_worse": 1.0}
NUMBERS = {"top1": 0.4, "top5": 0.7, "mrr": 0.5, "nll": 2.0}


def origin(day: str, until: str, **changed: Any) -> dict[str, Any]:
    names = ("research_default", "ngram")
    return {
        "day": day,
        "held_out_since": day,
        "until": until,
        "people": 1200,
        "unseen_targets": 0.02,
        **NUMBERS,
        **dict.fromkeys(("ece", "ece_chance", "ece_p_value", "ece_debiased"), 0.03),
        "num_tenures": 300,
        "tenure_coverage": 0.8,
        "tenure_width_months": 30.0,
        "hireability_auc": 0.7,
        "psi": 0.1,
        "psi_by_chance": 0.05,
        "others": dict.fromkeys(names, NUMBERS),
        "gains": {name: {"nll": GAIN, "top1": GAIN} for name in names},
        **changed,
    }


def result(**changed: Any) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "run": "first",
        "cutoffs": {"train": "2014-01-01", "val": "2018-01-01"},
        "winner": "trial 3",
        "params": {"hidden_dim": 16},
        "tenure_nominal_coverage": 0.8,
        "origins": [origin("2010-01-01", "2014-01-01"), origin("2014-01-01", "2018-01-01")],
        "best_baseline": "ngram",
        "gains": {"ngram": {"nll": GAIN, "top1": GAIN}, "research_default": {"nll": GAIN, "top1": None}},
        "aging": [
            {
                "first": "2014-01-01",
                "until": "2018-01-01",
                "years": 4.0,
                "people": 1200,
                "both_know": 1100,
                "nll": 2.1,
                "fresh_nll": 2.0,
                "top1": 0.3,
                "fresh_top1": 0.4,
                "loss": {"nll": GAIN, "top1": GAIN},
            }
        ],
        "retraining": "Retrain before a model is 4.0 years old.",
        **changed,
    }
