"""Inspect a database or files and write an experiment file, for `trajtune init`."""
