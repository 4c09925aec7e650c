"""Compare the splits from counts that are summed over partitions: sizes, dates, drift, and warnings."""
