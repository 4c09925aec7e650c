"""The hyperparameter search: its trials on Ray, its study, and the record it leaves."""
