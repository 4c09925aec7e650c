"""From careers to a snapshot on disk: temporal split, titles, examples."""
