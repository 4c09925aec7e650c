"""Exports the torch model to ONNX, and checks that the graph computes the same."""
