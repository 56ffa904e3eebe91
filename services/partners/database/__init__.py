"""Where the partner services keep what they know: SQLite by default, PostgreSQL by another URL."""
