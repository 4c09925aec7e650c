"""Compares the splits by counts that are summed over partitions: sizes, dates, drift and warnings."""
