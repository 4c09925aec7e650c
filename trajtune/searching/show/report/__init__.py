"""The report of a search: the HTML page, and its sections on values, params, trials and data."""
