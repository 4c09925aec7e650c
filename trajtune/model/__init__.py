"""The model, its training loop, its metrics, and the baselines it must beat."""
