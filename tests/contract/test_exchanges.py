"""What our connectors send and what the sandbox answers, held against the vendors' own descriptions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from onboard.sandbox.client import SandboxClient
from tests.contract import conversations
from tests.contract.description import Exchange
from tests.contract.vendors import GRAPHQL, Rules, Vendors

Recorded = Callable[..., dict[str, list[Exchange]]]
Talk = Callable[[SandboxClient, Path], None]

CONVERSATIONS: dict[str, tuple[list[str], Talk]] = {
    "github": (["github"], conversations.talk_to_github),
    "github-app": (["github"], conversations.talk_to_github_as_an_app),
    "jira": (["jira"], partial(conversations.talk_to_jira, cloud=True)),
    "jira-data-center": (["jira-data-center"], partial(conversations.talk_to_jira, cloud=False)),
    "slack": (["slack", "scim"], conversations.talk_to_slack),
    "vault": (["vault"], conversations.talk_to_vault),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_requests_and_answers_are_those_that_the_vendor_describes(
    name: str, vendors: Vendors, rules: Rules, sandbox: SandboxClient, recorded: Recorded, tmp_path: Path
) -> None:
    apis, talk = CONVERSATIONS[name]

    said = recorded(
        partial(talk, sandbox, tmp_path), conversations.rich_github() if name.startswith("github") else None
    )

    assert said.keys() - {GRAPHQL} == set(apis)
    for api, exchanges in said.items():
        findings = {finding for exchange in exchanges for finding in vendors.check(api, exchange)}
        assert rules.left(api, findings) == []
        assert rules.unused(api, findings) == []
