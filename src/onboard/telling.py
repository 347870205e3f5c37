"""From settings to who carries letters to approvers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from onboard.connectors.letters import Carrier
from onboard.errors import BadInput, OnboardError, Problem
from onboard.settings import JiraSettings, Settings, SlackSettings, variable
from onboard.wiring import Clock, Purse

if TYPE_CHECKING:
    from onboard.connectors.jira.letters import JiraLetters
    from onboard.engine.budget import Budget


def carriers(
    settings: Settings, clock: Clock, budgets: Mapping[str, Budget] | None = None
) -> tuple[list[Carrier], list[str]]:
    """What carries letters, by the systems that the settings name; and why one of them can't."""
    purse = Purse(settings, clock, "writing", budgets)
    found: list[Carrier] = []
    unusable: list[str] = []
    for name in (settings.notices.slack, settings.notices.jira):
        if name:
            try:
                found.append(_carrier(settings, name, purse))
            except OnboardError as failure:
                unusable.append(str(failure))
    return found, unusable


def _carrier(settings: Settings, name: str, purse: Purse) -> Carrier:
    """Raises BadInput as `misnamed`, and as opening a credential does."""
    from onboard.connectors.slack.api import Slack
    from onboard.connectors.slack.letters import SlackLetters

    match settings.systems.get(name):
        case SlackSettings() as slack:
            token, pace = purse.open(slack.bot_token), purse.pace(name)
            return SlackLetters(Slack(name, slack.base_url, token, purse.clock, retry=True, pace=pace))
        case JiraSettings():
            return tickets(settings, name, purse)
    raise BadInput(Problem("", 0, problem) for problem in misnamed(settings))


def tickets(settings: Settings, name: str, purse: Purse) -> JiraLetters:
    """What writes tickets on that system. Raises as `_carrier`."""
    from onboard.connectors.jira.client import JiraClient
    from onboard.connectors.jira.letters import JiraLetters

    jira, asking = settings.systems.get(name), settings.notices
    if not isinstance(jira, JiraSettings):
        raise BadInput(Problem("", 0, problem) for problem in misnamed(settings))
    token, pace = purse.open(jira.token), purse.pace(name)
    client = JiraClient(name, jira.base_url, jira.email, token, jira.deployment, purse.clock, pace)
    moves = {"applied": asking.jira_approved, "refused": asking.jira_refused}
    return JiraLetters(client, asking.jira_project, asking.jira_issue_type, moves)


def problems(settings: Settings) -> Iterator[str]:
    """What the settings lack for approvers to be asked, and for their answers to be told from a stranger's."""
    notices, listen = settings.notices, settings.listen
    if not (notices.slack or notices.jira):
        yield 'Nobody is asked, so nothing can be answered: set notices.slack = "slack" (a system\'s name).'
    yield from misnamed(settings)
    if notices.slack and listen.slack_signing_secret is None:
        ways = f"{variable('listen', 'slack_signing_secret')} (or the same with _FILE)"
        yield f"Slack's answers can't be told from a stranger's: set {ways} to the signing secret of the Slack app."
    if notices.jira and listen.jira_webhook_secret is None:
        ways = f"{variable('listen', 'jira_webhook_secret')} (or the same with _FILE)"
        yield f"Jira's answers can't be told from a stranger's: set {ways} to the secret given to Jira's webhook."


def misnamed(settings: Settings) -> Iterator[str]:
    """What is wrong with the systems that [notices] names."""
    slack = settings.notices.slack
    if slack and not isinstance(settings.systems.get(slack), SlackSettings):
        yield f"notices.slack names {slack!r}, which is no Slack that is configured."
    jira = settings.notices.jira
    if jira and not isinstance(settings.systems.get(jira), JiraSettings):
        yield f"notices.jira names {jira!r}, which is no Jira that is configured."
