"""Finalize turns a run into a bundle: refit, calibrate, export, and evaluate once on test."""
