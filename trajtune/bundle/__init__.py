"""Load a finished bundle and predict with it; needs only numpy and onnxruntime."""

from trajtune.bundle.bundle import Bundle, Prediction, load_bundle

__all__ = ["Bundle", "Prediction", "load_bundle"]
