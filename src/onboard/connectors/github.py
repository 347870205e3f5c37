"""GitHub: reading and changing who is in an organisation, its teams and its repositories."""

from onboard.connectors.github_app import AppInstallation
from onboard.connectors.github_reader import GitHubReader
from onboard.connectors.github_writer import GitHubWriter

__all__ = ["AppInstallation", "GitHubReader", "GitHubWriter"]
