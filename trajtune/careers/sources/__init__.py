"""Sources of rows: PostgreSQL, files, and an embedded PostgreSQL."""
