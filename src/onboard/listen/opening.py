"""From settings to a listener: secrets opened, ledger open, worker ready."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from fastapi import FastAPI

from onboard import wiring
from onboard.connectors.slack.replies import reply
from onboard.errors import BadInput, OnboardError, Problem
from onboard.listen import jira
from onboard.listen.app import Door, create
from onboard.listen.worker import Worker
from onboard.settings import Settings, SlackSettings
from onboard.telling import problems, tickets
from onboard.wiring import Clock, Purse, Say

log = logging.getLogger("onboard.listen")


@contextmanager
def opened(settings: Settings, clock: Clock, say: Say) -> Iterator[FastAPI]:
    """The application, its ledger open as long as this lasts. Raises BadInput with all that the settings lack."""
    require(settings)
    purse, listen = Purse(settings, clock, "reading"), settings.listen
    of_slack, of_jira = (
        purse.open(s) if s else None for s in (listen.slack_signing_secret, listen.jira_webhook_secret)
    )
    ledger = wiring.open_ledger(settings, clock)
    try:
        worker = Worker(ledger, lambda: wiring.build(settings, clock, say), partial(_tell, settings, clock))
        yield create(Door(settings, ledger, worker, clock, of_slack, of_jira))
    finally:
        ledger.close()


def require(settings: Settings) -> None:
    """Raises BadInput where nothing could come in, or what comes in could not be told from a stranger's."""
    found = list(problems(settings))
    if found:
        raise BadInput(Problem("", 0, problem) for problem in found)


def _tell(settings: Settings, clock: Clock, where: str, text: str) -> None:
    """Tell whoever answered what came of it. What can't be delivered is on record all the same."""
    notices = settings.notices
    slack = settings.systems.get(notices.slack)
    try:
        if where.startswith(jira.TICKET):
            tickets(settings, notices.jira, Purse(settings, clock, "writing")).comment(
                where.removeprefix(jira.TICKET), text
            )
        elif isinstance(slack, SlackSettings):
            reply(notices.slack, slack.base_url, where, text, clock)
    except OnboardError as failure:
        log.warning("whoever answered could not be told: %s", failure)
