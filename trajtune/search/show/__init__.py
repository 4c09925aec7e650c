"""A search as people and programs see it: status, progress, log, report, dashboard."""
