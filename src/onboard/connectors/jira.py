"""Jira, Cloud and Data Center: reading and changing who is in groups and project roles."""

from onboard.connectors.jira_reader import JiraReader
from onboard.connectors.jira_writer import JiraWriter

__all__ = ["JiraReader", "JiraWriter"]
