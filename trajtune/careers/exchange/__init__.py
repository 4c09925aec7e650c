"""Whole people in each partition: the exchange by person, and work on one partition at a time."""
