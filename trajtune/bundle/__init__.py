"""Load a finished bundle and predict with it; needs only numpy and onnxruntime."""

from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.bundle.prediction import Prediction

__all__ = ["Bundle", "Prediction", "load_bundle"]
