"""The database under a ledger: SQLite or PostgreSQL, its tables, shapes and backups."""
