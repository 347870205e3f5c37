"""GitHub: reading and changing who is in an organisation, its teams and its repositories."""
