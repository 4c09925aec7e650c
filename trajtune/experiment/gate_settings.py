"""Limits of the gates: the checks of `finalize` that a model must pass before it should be shipped."""

from pydantic import Field

from trajtune.experiment.params import Settings


class GateSettings(Settings):
    """Limits of the gates.

    A gate fails if its limit is exceeded by more than chance (95 %). It passes only with enough people to
    detect a difference of that size in four tests out of five (80 % power). With fewer people it is undecided
    and says so.
    """

    calibration_error: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Largest expected calibration error of the confidence, in excess of the error that "
        "chance alone would cause. An error of 0.05 changes few decisions at the service's threshold of 0.6.",
    )
    tenure_coverage: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Largest difference between the coverage of the tenure interval and the nominal "
        "coverage. 0.05 allows 75 % instead of 80 %.",
    )
    set_coverage: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Largest difference between the nominal coverage of the title sets and the share of sets "
        "that contain the true title. 0.05 allows 75 % instead of 80 %.",
    )
    latency_ms: float = Field(
        50.0,
        gt=0,
        description="Largest 95th percentile of the latency for one career, in milliseconds: the service's "
        "budget.",
    )
    staying: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Largest excess of the predicted over the observed share of people who keep their title. "
        "A model that always predicts the current title exceeds it many times over.",
    )
    movers_top5: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Difference in top-5 accuracy from a baseline, among people who changed their title, "
        "that the test split must be large enough to detect. 0.05 is one person in twenty.",
    )
    nll_gain: float = Field(
        0.02,
        gt=0,
        description="Gain in negative log-likelihood over a baseline, in nats, that the test split must be "
        "large enough to detect before a gate reports no gain. With 0.02, the probability of the true title "
        "rises by 2 %.",
    )
    hireability_auc: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Difference in AUC from a baseline that the test split must be large enough to detect. "
        "0.05 separates a head without any ranking ability (0.5) from one of little use.",
    )
    tenure_score: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Difference in interval score from a baseline, as a share of the baseline's score, that "
        "the test split must be large enough to detect. 0.1 is the effect of intervals a tenth wider.",
    )
