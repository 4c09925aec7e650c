"""Files on this machine or in an object store. Knows nothing of careers, models and runs."""
