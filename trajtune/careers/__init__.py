"""Read careers from anywhere, parse their dates, and account for every row."""
