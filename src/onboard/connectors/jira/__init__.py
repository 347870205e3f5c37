"""Jira, Cloud and Data Center: reading and changing who is in groups and project roles."""
