"""The inbound door: what approvers answer in Slack and Jira."""
