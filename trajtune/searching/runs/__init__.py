"""Run directories: creating, locking, resuming, cleaning and checking them."""
