"""Read careers from a database or files, parse their dates, and account for every row."""
