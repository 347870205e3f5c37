"""The simulated GitHub, driven by PyGithub as it comes and by bare requests where PyGithub hides something."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from github import Auth, Github, GithubException, UnknownObjectException
from github.Organization import Organization
from github.Repository import Repository

from onboard.sandbox.client import SandboxClient

EIGHT_DAYS = {"days": 8}


def as_token(sandbox: SandboxClient, token: str, per_page: int = 100) -> Github:
    return Github(
        base_url=sandbox.github["base_url"],
        auth=Auth.Token(token),
        retry=None,
        per_page=per_page,
        seconds_between_requests=0,
        seconds_between_writes=0,
    )


@pytest.fixture
def github(sandbox: SandboxClient) -> Github:
    return as_token(sandbox, sandbox.github["token"])


@pytest.fixture
def org(github: Github) -> Organization:
    return github.get_organization("acme")


@pytest.fixture
def docs(github: Github) -> Repository:
    return github.get_repo("acme/docs")


def person(sandbox: SandboxClient, id_: str) -> Github:
    return as_token(sandbox, sandbox.person(id_).github["token"])


def raw(sandbox: SandboxClient, method: str, path: str, token: str | None = None, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token or sandbox.github['token']}"}
    return requests.request(method, sandbox.github["base_url"] + path, headers=headers, timeout=10, **more)


def test_the_reading_token_reads_everything_and_writes_nothing(sandbox: SandboxClient) -> None:
    reader = as_token(sandbox, sandbox.github["read_token"])
    repo = reader.get_repo("acme/docs")

    assert {member.login for member in reader.get_organization("acme").get_members()} >= {"ada", "octo-admin"}
    with pytest.raises(GithubException) as refused:
        repo.add_to_collaborators("marta-nw", "pull")

    assert (refused.value.status, refused.value.message) == (403, "Resource not accessible by personal access token")
    assert repo.get_pending_invitations().totalCount == 0


def test_a_bad_token_is_401_and_a_private_repository_is_404_to_a_stranger(sandbox: SandboxClient) -> None:
    assert raw(sandbox, "GET", "/user", token="ghp_nonsense").json()["message"] == "Bad credentials"
    assert requests.get(f"{sandbox.github['base_url']}/user", timeout=10).status_code == 401
    with pytest.raises(UnknownObjectException):
        person(sandbox, "mallory").get_repo("acme/docs")


def test_a_member_without_admin_rights_is_refused_rather_than_told_that_nothing_is_there(
    sandbox: SandboxClient,
) -> None:
    repo = person(sandbox, "piet").get_repo("acme/docs")

    with pytest.raises(GithubException) as refused:
        repo.add_to_collaborators("mallory", "pull")

    assert refused.value.status == 403


def test_adding_a_stranger_to_a_team_invites_to_the_organisation_and_lists_no_member(
    sandbox: SandboxClient, github: Github, org: Organization
) -> None:
    team, marta = org.get_team_by_slug("outsourced-readers"), github.get_user("marta-nw")

    team.add_membership(marta, "member")

    assert team.get_team_membership("marta-nw").state == "pending"
    assert [invited.login for invited in org.invitations()] == ["marta-nw"]
    assert [invited.login for invited in team.invitations()] == ["marta-nw"]
    assert list(team.get_members()) == []
    assert not org.has_in_members(marta)
    assert not person(sandbox, "marta").get_user().get_repos().totalCount


def test_leaving_a_team_before_accepting_leaves_the_invitation_to_the_organisation(
    sandbox: SandboxClient, github: Github, org: Organization
) -> None:
    team, marta = org.get_team_by_slug("outsourced-readers"), github.get_user("marta-nw")
    team.add_membership(marta)

    team.remove_membership(marta)

    assert [invited.login for invited in org.invitations()] == ["marta-nw"]
    assert sandbox.accept("marta") == ["github:org:acme"]
    assert org.has_in_members(marta)
    assert not team.has_in_members(marta)


def test_acceptance_joins_organisation_and_team_and_the_teams_repositories(
    sandbox: SandboxClient, github: Github, org: Organization
) -> None:
    org.get_team_by_slug("outsourced-readers").add_membership(github.get_user("marta-nw"))

    accepted = sandbox.accept("marta")

    assert accepted == ["github:org:acme", "github:team:acme/outsourced-readers"]
    assert [repo.name for repo in person(sandbox, "marta").get_user().get_repos()] == ["docs"]


def test_a_person_accepts_both_kinds_of_invitation_with_their_own_token(
    sandbox: SandboxClient, github: Github, org: Organization, docs: Repository
) -> None:
    invitation = docs.add_to_collaborators("marta-nw", "push")
    org.add_to_members(github.get_user("jonas-nw"), "member")
    assert invitation is not None

    person(sandbox, "marta").get_user().accept_invitation(invitation)
    own = "/user/memberships/orgs/acme"
    raw(sandbox, "PATCH", own, sandbox.person("jonas").github["token"], json={"state": "active"}).raise_for_status()

    assert docs.get_collaborator_role_name("marta-nw") == "write"
    assert org.has_in_members(github.get_user("jonas-nw"))


def test_an_expired_organisation_invitation_is_listed_as_failed_and_cannot_be_removed(
    sandbox: SandboxClient, github: Github, org: Organization
) -> None:
    marta = github.get_user("marta-nw")
    org.add_to_members(marta)
    sandbox.advance(**EIGHT_DAYS)

    assert list(org.invitations()) == []
    (failed,) = raw(sandbox, "GET", "/orgs/acme/failed_invitations").json()
    assert (failed["login"], failed["failed_reason"]) == ("marta-nw", "Invitation expired")
    with pytest.raises(UnknownObjectException):
        org.remove_from_membership(marta)
    assert sandbox.accept("marta") == []


def test_an_expired_repository_invitation_stays_listed_until_it_is_deleted(
    sandbox: SandboxClient, docs: Repository
) -> None:
    docs.add_to_collaborators("marta-nw", "pull")
    sandbox.advance(**EIGHT_DAYS)

    docs.remove_from_collaborators("marta-nw")
    (expired,) = docs.get_pending_invitations()

    assert expired.expired
    assert sandbox.accept("marta") == []
    docs.remove_invitation(expired.id)
    assert docs.get_pending_invitations().totalCount == 0


def test_removing_a_collaborator_leaves_a_pending_invitation_that_can_still_be_accepted(
    sandbox: SandboxClient, docs: Repository
) -> None:
    docs.add_to_collaborators("marta-nw", "pull")

    docs.remove_from_collaborators("marta-nw")

    assert sandbox.accept("marta") == ["github:repo:acme/docs"]


def test_asking_twice_gives_one_invitation_with_the_later_permission(docs: Repository) -> None:
    first = docs.add_to_collaborators("marta-nw", "pull")
    second = docs.add_to_collaborators("marta-nw", "maintain")

    assert first is not None
    assert second is not None
    assert (second.id, second.permissions) == (first.id, "maintain")


def test_a_removed_member_keeps_nothing(sandbox: SandboxClient, github: Github, org: Organization) -> None:
    ada = github.get_user("ada")

    org.remove_from_membership(ada)

    assert [line for line in sandbox.holdings("ada") if line["system"] == "github"] == []
    assert not org.has_in_members(ada)


def test_removing_a_pending_membership_cancels_its_invitation(github: Github, org: Organization) -> None:
    marta = github.get_user("marta-nw")
    org.add_to_members(marta)

    org.remove_from_membership(marta)

    assert list(org.invitations()) == []


def test_direct_collaborators_are_not_all_who_have_access(github: Github, org: Organization, docs: Repository) -> None:
    org.get_team_by_slug("payments-engineers").update_team_repository(docs, "triage")

    direct = {who.login: who.role_name for who in docs.get_collaborators(affiliation="direct")}
    everybody = {who.login: who.role_name for who in docs.get_collaborators(affiliation="all")}

    assert direct == {"piet": "write"}
    assert everybody == {"piet": "write", "ada": "triage", "octo-admin": "admin", "onboard-bot": "admin"}
    assert docs.get_collaborator_permission("ada") == "read"
    assert not docs.has_in_collaborators("lena")


def test_an_outside_collaborator_is_listed_and_removed_from_every_repository(
    sandbox: SandboxClient, github: Github, org: Organization, docs: Repository
) -> None:
    for repo in (docs, github.get_repo("acme/payments-web")):
        repo.add_to_collaborators("marta-nw", "push")
    sandbox.accept("marta")

    assert [who.login for who in org.get_outside_collaborators()] == ["marta-nw"]
    org.remove_outside_collaborator(github.get_user("marta-nw"))

    assert list(org.get_outside_collaborators()) == []
    assert sandbox.holdings("marta") == []


def test_a_member_is_no_outside_collaborator_to_remove(github: Github, org: Organization) -> None:
    with pytest.raises(GithubException) as refused:
        org.remove_outside_collaborator(github.get_user("ada"))

    assert refused.value.status == 422


def test_a_second_invitation_by_id_is_422_with_what_is_wrong(github: Github, org: Organization) -> None:
    org.invite_user(user=github.get_user("marta-nw"))

    with pytest.raises(GithubException) as refused:
        org.invite_user(user=github.get_user("marta-nw"))

    assert refused.value.status == 422
    assert refused.value.data["errors"][0]["message"] == "Invitee already has a pending invitation"


def test_an_invitation_by_address_is_accepted_by_whoever_has_it(sandbox: SandboxClient, org: Organization) -> None:
    org.invite_user(email="marta@nordwind.example", teams=[org.get_team_by_slug("outsourced-readers")])

    (invited,) = raw(sandbox, "GET", "/orgs/acme/invitations").json()
    assert (invited["login"], invited["email"]) == (None, "marta@nordwind.example")
    assert sandbox.accept("marta") == ["github:org:acme", "github:team:acme/outsourced-readers"]


def test_a_rename_keeps_the_id_and_frees_the_old_login(sandbox: SandboxClient, github: Github) -> None:
    sandbox.rename("marta", github="marta-k")
    sandbox.rename("mallory", github="marta-nw")

    assert github.get_user_by_id(90001).login == "marta-k"
    assert github.get_user("MARTA-NW").id == 66666


def test_a_deleted_account_is_gone_with_all_that_it_held(sandbox: SandboxClient, github: Github) -> None:
    sandbox.delete_accounts("ada", "github")

    with pytest.raises(UnknownObjectException):
        github.get_user_by_id(10001)
    assert raw(sandbox, "GET", "/user", sandbox.person("ada").github["token"]).status_code == 401
    assert [line for line in sandbox.holdings("ada") if line["system"] == "github"] == []


def test_long_lists_come_in_pages_whose_links_lead_back_here(sandbox: SandboxClient) -> None:
    crowd = {
        f"p{n}": {"name": f"P {n}", "email": f"p{n}@x.example", "github": {"login": f"p{n}", "id": n + 1}}
        for n in range(250)
    }
    sandbox.reset({"people": crowd, "github": {"members": list(crowd)}})

    by_default = raw(sandbox, "GET", "/orgs/acme/members?per_page=1000")
    listed = list(as_token(sandbox, sandbox.github["token"], per_page=30).get_organization("acme").get_members())

    assert len(by_default.json()) == 100
    assert by_default.links["last"]["url"].startswith(sandbox.github["base_url"])
    assert len({member.id for member in listed}) == 251
    assert "next" not in raw(sandbox, "GET", "/orgs/acme/members?per_page=100&page=3").links


def test_a_permission_below_the_base_permission_is_refused(sandbox: SandboxClient) -> None:
    marta = {"name": "Marta", "email": "m@x.example", "github": {"login": "marta", "id": 7}}
    sandbox.reset({"people": {"marta": marta}, "github": {"base_permission": "write", "repos": [{"name": "docs"}]}})

    with pytest.raises(GithubException) as refused:
        as_token(sandbox, sandbox.github["token"]).get_repo("acme/docs").add_to_collaborators("marta", "pull")

    assert refused.value.status == 422
    assert "Cannot assign read" in refused.value.data["errors"][0]["message"]


def test_deploy_keys_are_listed_and_deleted(docs: Repository) -> None:
    key = docs.create_key("laptop", "ssh-ed25519 AAAA", read_only=True)

    assert [(k.title, k.read_only) for k in docs.get_keys()] == [("laptop", True)]
    key.delete()
    assert list(docs.get_keys()) == []


def test_answers_carry_request_id_scopes_and_what_is_left_of_the_rate_limit(sandbox: SandboxClient) -> None:
    first = raw(sandbox, "GET", "/user", sandbox.github["read_token"]).headers
    second = raw(sandbox, "GET", "/orgs/nobody", sandbox.github["read_token"]).headers

    assert first["X-GitHub-Request-Id"] != second["X-GitHub-Request-Id"]
    assert first["X-OAuth-Scopes"] == "read:org"
    assert int(second["X-RateLimit-Remaining"]) == int(first["X-RateLimit-Remaining"]) - 1
