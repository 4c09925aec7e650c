"""Where rows come from: PostgreSQL, files, an embedded PostgreSQL."""
