"""Lists that are longer than a page: every member of them, or unknown."""

from __future__ import annotations

from typing import cast

import pytest

from onboard.connectors.base import Scope
from onboard.connectors.jira.client import Deployment
from onboard.model import Account, AccountState
from onboard.sandbox.client import SandboxClient
from tests.connectors.jira.support import GROUP, PROJECT, Site, as_bot
from tests.connectors.worlds import crowded_world


@pytest.fixture(params=["cloud", "data-center"])
def site(request: pytest.FixtureRequest, sandbox: SandboxClient) -> Site:
    return Site(sandbox, cast(Deployment, request.param))


@pytest.fixture
def marta(site: Site) -> Account:
    return site.account("marta")


@pytest.fixture
def crowd(sandbox: SandboxClient) -> SandboxClient:
    sandbox.reset(crowded_world(130))
    return sandbox


def test_a_group_is_read_to_its_last_page_inactive_members_included(site: Site, crowd: SandboxClient) -> None:
    observed = site.reader.read(Scope(frozenset({GROUP})))

    assert len({holding.account for holding in observed.of(GROUP).holdings}) == 130
    assert len(observed.accounts) == 130
    asked = [entry for entry in crowd.requests(site.system) if entry["path"].endswith("/group/member")]
    assert len(asked) == 3


def test_a_failed_page_makes_the_group_unknown_and_no_other_resource(site: Site, crowd: SandboxClient) -> None:
    crowd.fault(site.system, "partial", path="/group/member")

    observed = site.reader.read(Scope(frozenset({GROUP, PROJECT})))

    assert "500" in (observed.of(GROUP).unknown or "")
    assert observed.of(GROUP).holdings == ()
    assert observed.of(PROJECT).unknown is None


def test_deactivated_members_stay_visible(site: Site, crowd: SandboxClient) -> None:
    someone = site.account("p007")
    crowd.delete_accounts("p008", site.system)
    if not site.cloud:
        as_bot(site, "PUT", f"user?username={site.handle('p007')}", {"active": False})

    observed = site.reader.read(Scope(frozenset({GROUP})))

    assert str(someone.external_id) in {holding.account for holding in observed.of(GROUP).holdings}
    assert site.cloud or observed.accounts[str(someone.external_id)].state is AccountState.SUSPENDED
