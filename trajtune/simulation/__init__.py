"""Simulated careers with known probabilities: generator, spellings, faults and the Bayes optimum."""
