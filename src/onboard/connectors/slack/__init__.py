"""Slack (slack-sdk): who is in which channel and user group, and cutting accounts off by SCIM."""
