"""From a run to a bundle: refit, calibrate, export, evaluate once."""
