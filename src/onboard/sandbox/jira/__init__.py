"""A simulated Jira, Cloud or Data Center."""
