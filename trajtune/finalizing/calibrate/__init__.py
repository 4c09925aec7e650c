"""Calibration on val: confidence, tenure interval, hireability and title sets."""
