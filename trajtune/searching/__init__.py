"""The hyperparameter search: trials on Ray, the Optuna study, and the run directory."""
