"""Simulated careers with a known truth: generator, spellings, faults, and the Bayes optimum."""
