"""Every other way to hold something on GitHub: seen, taken away where that can be, and told where it can't."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from onboard.connectors.base import Scope
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Holding, HoldingState, Observation, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.github.support import MARTA, ORG, REPO, TEAM, a_reader, a_writer, bound, on
from tests.connectors.github.world import demo

ADA = "10001"
CODEOWNERS = "# who reviews\n* @ada @acme/web\n/api @ada lena@acme.example # and more\n"


def res(type_: str, name: str = "") -> Resource:
    return Resource("github", type_, f"acme/{name}" if name else "acme")


def by_owner(sandbox: SandboxClient, method: str, path: str, token: str | None = None, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {token or sandbox.person('octo-admin').github['token']}"}
    answer = requests.request(method, sandbox.github["base_url"] + path, json=body, headers=headers, timeout=5)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def of(observed: Observation, account: str) -> list[Holding]:
    return [h for reading in observed.readings.values() for h in reading.holdings if h.account == account]


def a_key(sandbox: SandboxClient, person: str, repo: str = "docs") -> int:
    """A deploy key that somebody with admin rights adds with their own token."""
    token = sandbox.person(person).github["token"]
    text = f"ssh-ed25519 {person}{repo}"
    return int(by_owner(sandbox, "POST", f"/repos/acme/{repo}/keys", token, title="ci", key=text)["id"])


def everything(**more: Any) -> dict[str, Any]:
    """Ada, a member, holds something by every route that a world file can give."""
    return demo(
        repos=[{"name": "docs", "collaborators": {"ada": "admin"}, "codeowners": CODEOWNERS}],
        teams=[{"slug": "payments-engineers", "name": "Payments", "members": ["ada"]}],
        org_roles={"auditor": ["ada"], "unused": []},
        saml=[{"owner": "ada", "kind": "SSH key"}, {"owner": "lena"}],
        tokens=[
            {"owner": "ada", "name": "laptop"},
            {"owner": "ada", "name": "wish", "repositories": "all", "requested": True},
        ],
        base_permission="read",
        **more,
    )


def _named(resource: Resource) -> str:
    return re.sub(r"\d+", "#", f"{resource.type}:{resource.name}")


def test_every_route_that_a_token_can_see_is_read(sandbox: SandboxClient) -> None:
    sandbox.reset(everything())
    key = a_key(sandbox, "ada")

    found = of(a_reader(sandbox).read(Scope()), ADA)
    held = {(_named(h.resource), h.level, h.via) for h in found}

    assert res("deploy-key", f"docs#{key}") in {h.resource for h in found}
    assert held == {
        ("org:acme", "member", "direct"),
        ("base-permission:acme", "pull", "org base permission"),
        ("team:acme/payments-engineers", "member", "direct"),
        ("repo:acme/docs", "admin", "direct"),
        ("repo:acme/docs", "pull", "org base permission"),
        ("deploy-key:acme/docs##", "write", "direct"),
        ("org-role:acme/auditor", "assigned", "direct"),
        ("credential:acme/#", "SSH key", "direct"),
        ("codeowners:acme/docs", "on 2 lines", "CODEOWNERS"),
    }  # fmt: skip


def test_what_is_asked_for_by_name_is_found_or_verified_absent(sandbox: SandboxClient) -> None:
    sandbox.reset(everything())
    key = a_key(sandbox, "ada")
    reader = a_reader(sandbox)
    there = {res("org-role", "auditor"), res("codeowners", "docs"), res("base-permission")}
    there |= {res("deploy-key", f"docs#{key}")}
    absent = {res("deploy-key", "docs#1"), res("org-role", "unused"), res("credential", "1"), res("blocked")}

    observed = reader.read(Scope(frozenset(there | absent)))

    assert {r for r, reading in observed.readings.items() if reading.holdings} == there
    assert all(reading.unknown is None for reading in observed.readings.values())
    assert "Apps only" in (on(reader, res("token", "1")).unknown or "")


def test_everything_that_reads_as_direct_can_be_revoked_and_the_second_time_changes_nothing(
    sandbox: SandboxClient,
) -> None:
    sandbox.reset(everything())
    a_key(sandbox, "ada")
    reader, writer, ada = a_reader(sandbox), a_writer(sandbox), bound(ADA)
    direct = [h for h in of(reader.read(Scope()), ADA) if h.via == "direct"]
    assert len(direct) == 6

    for holding in sorted(direct, key=lambda h: h.resource.type == "org"):
        assert writer.revoke(ada, holding.resource, holding.level).changed, holding.resource
        assert not writer.revoke(ada, holding.resource, holding.level).changed, holding.resource

    assert {h.via for h in of(reader.read(Scope()), ADA)} == {"CODEOWNERS"}


def test_what_is_no_access_is_never_taken_away(sandbox: SandboxClient) -> None:
    sandbox.reset(everything())
    by_owner(sandbox, "PUT", "/orgs/acme/blocks/marta-nw")
    reader, writer = a_reader(sandbox), a_writer(sandbox)

    assert [(h.level, h.via) for h in on(reader, res("blocked")).holdings] == [("blocked", "block")]
    for resource in (res("blocked"), res("codeowners", "docs"), res("base-permission"), res("deploy-key", "../x#1")):
        with pytest.raises(SystemRefused, match="nothing that can be revoked"):
            writer.revoke(bound(MARTA), resource, "")
    assert [e["path"] for e in sandbox.writes("github")] == ["/orgs/acme/blocks/marta-nw"]


def test_a_role_that_comes_through_a_team_is_told_as_the_teams(sandbox: SandboxClient) -> None:
    sandbox.reset(everything())
    roles = {role["name"]: role["id"] for role in by_owner(sandbox, "GET", "/orgs/acme/organization-roles")["roles"]}
    by_owner(sandbox, "PUT", f"/orgs/acme/organization-roles/teams/payments-engineers/{roles['unused']}")

    held = {(h.handle, h.via) for h in on(a_reader(sandbox), res("org-role", "unused")).holdings}

    assert held == {("ada", "team payments-engineers")}


def test_a_deploy_key_stays_its_adders_after_a_rename_and_is_nobodys_after_a_deletion(sandbox: SandboxClient) -> None:
    sandbox.reset(everything())
    key = a_key(sandbox, "ada")
    reader, resource = a_reader(sandbox), res("deploy-key", f"docs#{key}")
    sandbox.rename("ada", github="ada-berg")
    sandbox.rename("mallory", github="ada")

    assert [(h.account, h.handle) for h in on(reader, resource).holdings] == [(ADA, "ada-berg")]
    sandbox.delete_accounts("ada", "github")
    assert [(h.account, h.handle) for h in on(reader, resource).holdings] == [(f"deploy-key:{key}", "ci")]


def test_a_stale_code_owner_is_told_by_login_and_nobody_inherits_it(sandbox: SandboxClient) -> None:
    sandbox.reset(everything())
    sandbox.rename("ada", github="ada-berg")

    owners = {h.account for h in on(a_reader(sandbox), res("codeowners", "docs")).holdings}

    assert owners == {"login:ada", "email:lena@acme.example"}


def test_a_lapsed_invitation_is_told_and_nobody_tries_to_delete_it(sandbox: SandboxClient) -> None:
    reader, writer, marta = a_reader(sandbox), a_writer(sandbox), bound(MARTA)
    writer.grant(marta, ORG, "member")
    writer.grant(marta, TEAM, "member")
    sandbox.advance(days=8)
    since = sandbox.requests("github")[-1]["n"]

    [lapsed] = [h for h in on(reader, ORG).holdings if h.account == MARTA]
    assert (lapsed.state, lapsed.via) == (HoldingState.EXPIRED, "failed invitation")
    assert not writer.revoke(marta, ORG, "member").changed
    writer.cut_off(marta)

    assert not any("/invitations/" in entry["path"] for entry in sandbox.writes("github", since))
    assert on(reader, TEAM).unknown is None
    assert reader.residue(marta).remaining == ()


def test_an_account_deleted_with_invitations_pending_leaves_nothing_and_breaks_nothing(sandbox: SandboxClient) -> None:
    reader, writer, marta = a_reader(sandbox), a_writer(sandbox), bound(MARTA)
    for resource in (ORG, TEAM, REPO):
        writer.grant(marta, resource, "member" if resource is not REPO else "pull")
    sandbox.delete_accounts("marta", "github")

    observed = reader.read(Scope())
    residue = reader.residue(marta)

    assert of(observed, MARTA) == []
    assert all(reading.unknown is None for reading in observed.readings.values())
    assert not any(receipt.changed for receipt in writer.cut_off(marta))
    assert (residue.remaining, residue.unknown, residue.routes) == ((), (), ("the account",))
    assert "deploy keys" in {each.what for each in residue.unverifiable}


def test_a_cut_off_pulls_every_lever_and_the_residue_is_verified_route_by_route(sandbox: SandboxClient) -> None:
    sandbox.reset(everything())
    a_key(sandbox, "ada")
    reader, writer, ada = a_reader(sandbox), a_writer(sandbox), bound(ADA)
    before = reader.residue(ada)

    writer.cut_off(ada)
    after = reader.residue(ada)

    assert {h.resource.type for h in before.remaining} == {
        "org", "team", "repo", "deploy-key", "org-role", "credential"
    }  # fmt: skip
    assert after.remaining == ()
    assert set(after.routes) == set(before.routes) == {
        "organisation", "organisation invitations", "teams", "repositories and deploy keys", "repository invitations",
        "org-role", "credential",
    }  # fmt: skip
    assert after.unknown == ()
    assert {each.what for each in after.unverifiable} == {
        "token", "token-request", "classic tokens", "OAuth grants", "SSH keys of the user", "forks and clones"
    }  # fmt: skip
    assert all(each.reason for each in after.unverifiable)


def test_a_cut_off_that_cannot_end_the_membership_ends_all_that_hangs_on_it(sandbox: SandboxClient) -> None:
    sandbox.reset(everything())
    a_key(sandbox, "ada")
    reader, writer, ada = a_reader(sandbox), a_writer(sandbox), bound(ADA)
    sandbox.fault("github", "forbidden", method="DELETE", path="^/orgs/acme/memberships/")

    with pytest.raises(SystemFailed, match="403"):
        writer.cut_off(ada)

    assert {h.resource.type for h in reader.residue(ada).remaining} == {"org"}


def test_somebody_outside_is_dead_after_two_round_trips(sandbox: SandboxClient) -> None:
    reader, writer, marta = a_reader(sandbox), a_writer(sandbox), bound(MARTA)
    writer.grant(marta, REPO, "push")
    sandbox.accept("marta", "github")
    since = sandbox.requests("github")[-1]["n"]
    sandbox.fault("github", "latency", ms=500, path="/acme/(repos|invitations|credential-auth)")

    writer.cut_off(marta)

    asked = [(e["method"], e["path"]) for e in sandbox.requests("github", since)]
    assert set(asked[:2]) == {("GET", "/user/90001"), ("GET", "/orgs/acme/outside_collaborators")}
    assert asked[2] == ("DELETE", "/orgs/acme/outside_collaborators/marta-nw")
    assert reader.residue(marta).remaining == ()


def test_a_route_that_fails_is_unknown_in_the_residue_and_the_others_are_verified(sandbox: SandboxClient) -> None:
    sandbox.reset(everything())
    sandbox.fault("github", "forbidden", path="/repos/acme/docs/invitations")
    sandbox.fault("github", "500", path="/orgs/acme/organization-roles")

    residue = a_reader(sandbox).residue(bound(ADA))

    assert {"repository invitations", "org-role"} <= {name for name, _ in residue.unknown}
    assert all(reason for _, reason in residue.unknown)
    assert {"organisation", "teams", "credential"} <= set(residue.routes)
    assert {"org", "team", "repo"} <= {h.resource.type for h in residue.remaining}


def test_a_residue_of_a_system_that_is_down_verifies_nothing(sandbox: SandboxClient) -> None:
    sandbox.fault("github", "drop-before")

    residue = a_reader(sandbox).residue(bound(ADA))

    assert (residue.routes, residue.remaining) == ((), ())
    assert residue.unknown


def test_a_route_that_fails_for_now_is_unknown_and_one_that_the_plan_lacks_is_left_out(sandbox: SandboxClient) -> None:
    sandbox.fault("github", "500", path="/orgs/acme/blocks")

    observed = a_reader(sandbox).read(Scope())

    types = {resource.type for resource in observed.readings}
    assert observed.of(res("blocked", "*")).unknown is not None
    assert not types & {"credential", "token", "token-request"}
    assert observed.complete
