"""The record of a search: an Optuna study in a journal file or a database, its sampler and its pruner."""
