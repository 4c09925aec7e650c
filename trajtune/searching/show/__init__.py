"""Shows a search to people and programs: status, progress, JSON log, report, dashboard."""
