"""Evaluation of the exported graph: metrics, intervals, segments, gates."""
