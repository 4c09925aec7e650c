"""A finished bundle, read with numpy and onnxruntime alone."""

from trajtune.bundle.bundle import Bundle, Prediction, load_bundle

__all__ = ["Bundle", "Prediction", "load_bundle"]
