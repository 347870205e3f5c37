"""From settings to who carries letters to approvers."""

from __future__ import annotations

from collections.abc import Iterator

from onboard.connectors.letters import Carrier
from onboard.errors import BadInput, OnboardError, Problem
from onboard.settings import Settings, SlackSettings, variable
from onboard.wiring import Purse, Services


def carriers(services: Services) -> tuple[list[Carrier], list[str]]:
    """What carries letters, by the systems that the settings name; and why one of them can't."""
    purse = Purse(services.settings, services.clock, "writing", services.budgets)
    found: list[Carrier] = []
    unusable: list[str] = []
    for name in (services.settings.notices.slack,):
        if name:
            try:
                found.append(_carrier(services.settings, name, purse))
            except OnboardError as failure:
                unusable.append(str(failure))
    return found, unusable


def _carrier(settings: Settings, name: str, purse: Purse) -> Carrier:
    """Raises BadInput as `misnamed`, and as opening a credential does."""
    from onboard.connectors.slack_api import Slack
    from onboard.connectors.slack_letters import SlackLetters

    match settings.systems.get(name):
        case SlackSettings() as slack:
            token, pace = purse.open(slack.bot_token), purse.pace(name)
            return SlackLetters(Slack(name, slack.base_url, token, purse.clock, retry=True, pace=pace))
    raise BadInput(Problem("", 0, problem) for problem in misnamed(settings))


def problems(settings: Settings) -> Iterator[str]:
    """What the settings lack for approvers to be asked, and for their answers to be told from a stranger's."""
    notices, listen = settings.notices, settings.listen
    if not notices.slack:
        yield 'Nobody is asked, so nothing can be answered: set notices.slack = "slack" (a system\'s name).'
    yield from misnamed(settings)
    if notices.slack and listen.slack_signing_secret is None:
        ways = f"{variable('listen', 'slack_signing_secret')} (or the same with _FILE)"
        yield f"Slack's answers can't be told from a stranger's: set {ways} to the signing secret of the Slack app."


def misnamed(settings: Settings) -> Iterator[str]:
    """What is wrong with the systems that [notices] names."""
    slack = settings.notices.slack
    if slack and not isinstance(settings.systems.get(slack), SlackSettings):
        yield f"notices.slack names {slack!r}, which is no Slack that is configured."
