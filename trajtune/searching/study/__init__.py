"""The Optuna study of a search, in a journal file or a database, with its sampler and its pruner."""
