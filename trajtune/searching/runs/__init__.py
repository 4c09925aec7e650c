"""The directory of a run: creating, locking, resuming, cleaning and checking it."""
