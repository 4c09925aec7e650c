"""The limits of the gates: what `finalize` must find before a model should be shipped."""

from pydantic import Field

from trajtune.experiment.params import Settings


class GateSettings(Settings):
    """Limits of the gates.

    A gate fails where its limit is exceeded by more than chance (95 %). It passes only with enough people to
    have seen a difference of that size in four tests of five; with fewer it says so.
    """

    calibration_error: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Largest expected calibration error of the confidence, beyond what chance alone gives. "
        "0.05 changes few decisions at the service's threshold of 0.6.",
    )
    tenure_coverage: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Largest distance of the tenure interval's coverage from nominal. 0.05: 75 % for 80 %.",
    )
    latency_ms: float = Field(
        50.0, gt=0, description="Largest p95 of one career in milliseconds: the service's budget."
    )
    staying: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Largest excess of the predicted over the observed share of people who stay on their "
        "title. A model that lags one step behind exceeds it many times.",
    )
    movers_top5: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Difference in top-5 from a baseline, among people who moved, that test must be able to "
        "show. 0.05: one mover in twenty.",
    )
    nll_gain: float = Field(
        0.02,
        gt=0,
        description="Gain in NLL, in nats, over a baseline that test must be able to show before it says "
        "that there is none. 0.02: the probability of what happened rises by 2 %.",
    )
    hireability_auc: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Difference in AUC from a baseline that test must be able to show. 0.05 separates a head "
        "that ranks nothing (0.5) from one of little use.",
    )
    tenure_score: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Difference in interval score from a baseline, as a share of the baseline's, that test "
        "must be able to show. 0.1: intervals a tenth wider.",
    )
