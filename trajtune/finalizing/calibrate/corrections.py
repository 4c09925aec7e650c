"""The corrections that the exported graph adds to a network, fitted on careers outside of its training."""

from dataclasses import dataclass, field

from trajtune.finalizing.calibrate.conformal import TenureCorrection
from trajtune.finalizing.calibrate.isotonic import CalibrationTable
from trajtune.finalizing.calibrate.priors import Priors
from trajtune.finalizing.calibrate.title_sets import SetRule


@dataclass(frozen=True)
class Corrections:
    """The corrections of a network's outputs.

    Attributes:
        confidence: Calibration of the top title's probability.
        tenure: Correction of the tenure interval.
        hireability: Calibration of the hireability; None: it is not changed.
        priors: Values that replace heads without training labels; None: both heads had labels.
        sets: Rule for the set of next titles; None: the graph outputs no sets.
    """

    confidence: CalibrationTable
    tenure: TenureCorrection = field(default_factory=TenureCorrection)
    hireability: CalibrationTable | None = None
    priors: Priors | None = None
    sets: SetRule | None = None
