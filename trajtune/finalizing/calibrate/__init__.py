"""Calibration on val: the confidence of the top title, and the tenure interval."""
