"""Baselines that the model must beat, and the Bayes optimum, which no model can beat."""
