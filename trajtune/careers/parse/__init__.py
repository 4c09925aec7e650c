"""One value at a time: dates, flags, text, tenure."""
