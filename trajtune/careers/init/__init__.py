"""What `trajtune init` proposes for a database, and writes as an experiment file."""
