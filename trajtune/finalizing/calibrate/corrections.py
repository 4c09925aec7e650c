"""Everything that the exported graph adds to a trained network, fitted on careers that it has not seen."""

from dataclasses import dataclass, field

from trajtune.finalizing.calibrate.conformal import TenureCorrection
from trajtune.finalizing.calibrate.isotonic import CalibrationTable
from trajtune.finalizing.calibrate.priors import Priors
from trajtune.finalizing.calibrate.title_sets import SetRule


@dataclass(frozen=True)
class Corrections:
    """What is done to a network's outputs.

    Attributes:
        confidence: Calibration of the top title's probability.
        tenure: Correction of the tenure interval.
        hireability: Calibration of the hireability; None: it stays as it is.
        priors: What replaces heads that saw no label; None: both saw some.
        sets: Which titles belong to the set of next titles; None: the graph gives no sets.
    """

    confidence: CalibrationTable
    tenure: TenureCorrection = field(default_factory=TenureCorrection)
    hireability: CalibrationTable | None = None
    priors: Priors | None = None
    sets: SetRule | None = None
