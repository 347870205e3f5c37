"""A simulated Slack workspace: Web API and SCIM."""
