"""Evaluates the exported graph: metrics, confidence intervals, segments and gates."""
