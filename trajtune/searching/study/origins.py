"""Values of a trial's attribute ``origin``, which says where its params come from."""

from typing import Final

RESEARCH_DEFAULT_ORIGIN: Final = "research_default"
START_POINT_ORIGIN: Final = "start_point"
TRAINING_ORIGIN: Final = "training"
SAMPLER_ORIGIN: Final = "sampler"
PRIOR_ORIGIN: Final = "prior"
TRAINING_REPEAT_ORIGIN: Final = "training_repeat"
REPEAT_ORIGIN: Final = "repeat"

REFERENCE_ORIGINS: Final = {
    RESEARCH_DEFAULT_ORIGIN: "research default",
    TRAINING_ORIGIN: "experiment's training",
}
"""Origins of the reference trials, with their display names. No pruner stops these trials."""
