"""Slack (slack-sdk): who is in which channel and user group, and cutting accounts off by SCIM."""

from onboard.connectors.slack_reader import SlackReader
from onboard.connectors.slack_writer import SlackWriter

__all__ = ["SlackReader", "SlackWriter"]
