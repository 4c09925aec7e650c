"""The experiment file and its search space: typed, checked once when loaded, then frozen."""
