"""What `trajtune monitor` prints, from a result alone."""

from trajtune.monitoring.monitor_table import monitor_lines

RESULT = {
    "since": "2020-01-01",
    "people": 1200,
    "verdict": "1,200 people moved after 2020-01-01: calibration no longer holds.",
    "figures": {
        "ece": {"value": 0.09, "interval": (0.07, 0.11), "on_test": 0.02},
        "hireability_auc": {"value": None, "interval": None, "on_test": None},
    },
    "drift": {"titles": {"psi": 0.6, "by_chance": 0.1, "major": True}},
    "gates": {
        "calibration": {
            "result": "failed",
            "on_test": "passed",
            "value": 0.09,
            "limit": 0.05,
            "people": 1200,
            "people_needed": 1200,
        },
        "hireability": {
            "result": "too few people",
            "on_test": "passed",
            "value": None,
            "limit": 0.05,
            "people": 0,
            "people_needed": None,
        },
        "tenure_score": {
            "result": "too few people",
            "on_test": "passed",
            "value": 0.1,
            "limit": 0.1,
            "people": 40,
            "people_needed": 1400,
        },
    },
}


def test_every_line() -> None:
    assert monitor_lines(RESULT) == [
        "                 since 2020-01-01  95 %          on test",
        "ece              0.09              0.07 to 0.11  0.02",
        "hireability auc  not known         not known     not known",
        "drift of titles: PSI 0.600, by chance 0.100: a major shift",
        "gate          now             on test  value                                        people",
        "calibration   failed          passed   9.0 % (at most 5.0 %)                        1,200",
        "hireability   too few people  passed   not known (a loss of 0.050 must be visible)  0",
        "tenure score  too few people  passed   +10.0 % (a loss of 10.0 % must be visible)   40 of 1,400",
        "1,200 people moved after 2020-01-01: calibration no longer holds.",
    ]
