"""Experiment files and search spaces as typed, frozen settings that are validated once, on load."""
