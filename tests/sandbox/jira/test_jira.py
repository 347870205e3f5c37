"""The simulated Jira, asked by the unmodified SDK over HTTP: first how it says no, then what it does."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from jira import JIRA, JIRAError
from jira.resources import User

from onboard.errors import SystemFailed
from onboard.sandbox.client import SandboxClient
from onboard.sandbox.core import Clock, Credentials
from onboard.sandbox.jira.simulator import JiraSimulator
from onboard.sandbox.world import demo_world

Deployment = Literal["cloud", "data-center"]

MARTA = "5b10a2844c20165700ede21a"
GROUP = "outsourced-engineers"


class Site:
    """One of the sandbox's two Jiras and the SDK's clients for it."""

    def __init__(self, sandbox: SandboxClient, deployment: Deployment) -> None:
        self.sandbox = sandbox
        self.cloud = deployment == "cloud"
        self.name = "jira" if self.cloud else "jira-data-center"
        self.settings = sandbox.jira if self.cloud else sandbox.jira_data_center

    def token(self, label: str) -> str:
        if label.startswith("person:"):
            jira = self.sandbox.person(label.removeprefix("person:")).jira
            return str(jira["token" if self.cloud else "data_center_token"])
        return self.settings["token" if label == "write" else "read_token"]

    def client(self, label: str = "write", email: str | None = None) -> JIRA:
        if not self.cloud:
            return JIRA(self.settings["base_url"], token_auth=self.token(label), max_retries=0)
        person = label.removeprefix("person:")
        own = self.settings["email"] if person == label else self.sandbox.person(person).email
        auth, options = (email or own, self.token(label)), {"rest_api_version": "3"}
        return JIRA(self.settings["base_url"], basic_auth=auth, max_retries=0, options={**options})

    def named(self, person: str) -> str:
        """What this deployment's API calls a person by."""
        return str(self.sandbox.person(person).jira["account_id" if self.cloud else "username"])

    def join(self, person: str, label: str = "write") -> Any:
        body = {"accountId" if self.cloud else "name": self.named(person)}
        return raw(self.client(label), "post", "group/user", {"groupname": GROUP}, json.dumps(body))

    def leave(self, person: str, label: str = "write") -> Any:
        query = {"groupname": GROUP, "accountId" if self.cloud else "username": self.named(person)}
        return raw(self.client(label), "delete", "group/user", query)

    def members(self, **query: str) -> list[User]:
        asked = {"groupname": GROUP, **query}
        return list(self.client()._fetch_pages(User, "values", "group/member", 0, False, asked))

    def held(self, person: str) -> set[tuple[str, str]]:
        lines = self.sandbox.holdings(person)
        return {(line["resource"], line["level"]) for line in lines if line["system"] == self.name}


Start = Callable[..., Site]


@pytest.fixture
def start(sandbox: SandboxClient) -> Iterator[Start]:
    worlds: list[Mapping[str, Any]] = []

    def begin(deployment: Deployment = "cloud", world: Mapping[str, Any] | None = None) -> Site:
        if world:
            worlds.append(world)
            sandbox.reset(world)
        return Site(sandbox, deployment)

    yield begin
    if worlds:  # a reset without a world would go back to the last one
        sandbox.reset(demo_world().model_dump())


@pytest.fixture(params=["cloud", "data-center"])
def site(start: Start, request: pytest.FixtureRequest) -> Site:
    return start(request.param)


def raw(client: JIRA, verb: str, path: str, query: dict[str, Any] | None = None, data: str | None = None) -> Any:
    """A call that the SDK has no method for, through its own session."""
    call = getattr(client._session, verb)
    return call(client._get_url(path), params=query, **({"data": data} if data is not None else {}))


@contextmanager
def refused(status: int, message: str = "") -> Iterator[None]:
    with pytest.raises(JIRAError) as failure:
        yield
    assert (failure.value.status_code, message in str(failure.value.text)) == (status, True), failure.value


def crowd(size: int) -> dict[str, Any]:
    """A world with many Jira users, all of them in one group."""
    account = {"account_id": "acc-{}", "username": "user-{}", "key": "KEY{}"}
    people = {
        f"p{n}": {
            "name": f"Person {n:04}",
            "email": f"p{n}@acme.example",
            "jira": {field: text.format(n) for field, text in account.items()},
        }
        for n in range(size)
    }
    return {"people": people, "jira": {"groups": {GROUP: list(people)}}}


# How it says no


def test_somebody_elses_address_with_a_valid_token_is_refused_on_cloud(start: Start) -> None:
    with refused(401):
        start("cloud").client("write", email="ada@acme.example").myself()


def test_an_unknown_token_is_refused_though_everybody_may_ask_for_the_server_info(site: Site) -> None:
    stranger = JIRA(site.settings["base_url"], token_auth="made-up", max_retries=0)

    assert stranger.server_info()["deploymentType"] == ("Cloud" if site.cloud else "Server")
    with refused(401):
        stranger.myself()


def test_the_reading_token_reads_everything_and_changes_nothing(site: Site) -> None:
    reader = site.client("read")

    assert [role.raw["name"] for role in (reader.project_role("PAY", "10004"),)] == ["Administrators"]
    assert reader.groups() == [GROUP]
    with refused(403):
        site.join("marta", label="read")
    with refused(403):
        reader.project_role("PAY", "10001").add_user(users=site.named("marta"))
    assert site.held("marta") == set()


def test_the_reading_token_has_no_administrators_rights_to_show(site: Site) -> None:
    asked = "ADMINISTER,BROWSE_PROJECTS"

    def rights(label: str) -> list[bool]:
        answer = site.client(label).my_permissions(permissions=asked)["permissions"]
        return [bool(answer[key]["havePermission"]) for key in asked.split(",")]

    assert rights("write") == [True, True]
    assert rights("read") == [False, True]


def test_a_person_without_admin_rights_changes_no_group_and_sees_no_foreign_project(site: Site) -> None:
    with refused(403):
        site.join("mallory", label="person:mallory")
    with refused(404, "No project could be found with key 'PAY'"):
        site.client("person:mallory").project("PAY")
    assert site.client("person:mallory").projects() == []


def test_a_project_administrator_changes_that_projects_roles_only(site: Site) -> None:
    ada = site.client("person:ada")

    ada.project_role("PAY", "10001").add_user(users=site.named("marta"))

    assert site.held("marta") == {("project:PAY", "Viewers")}
    with refused(404):
        ada.project_role("OPS", "10001")


def test_adding_to_a_group_twice_and_removing_twice_are_errors(site: Site) -> None:
    assert site.join("marta").status_code == 201
    with refused(400, f"user is already a member of '{GROUP}'"):
        site.join("marta")
    assert site.leave("marta").status_code == 200
    with refused(400, f"user is not a member of '{GROUP}'"):
        site.leave("marta")


def test_adding_to_a_role_twice_and_removing_twice_are_errors(site: Site) -> None:
    role = site.client().project_role("PAY", "10002")

    role.add_user(users=site.named("marta"))
    with refused(400, "is already a member of the project role"):
        role.add_user(users=site.named("marta"))
    role.delete(params={"user": site.named("marta")})
    with refused(404, "is not a member of the project role"):
        role.delete(params={"user": site.named("marta")})


def test_an_unknown_person_is_not_found_and_nobody_else_is_added_with_them(site: Site) -> None:
    role = site.client().project_role("PAY", "10002")

    with refused(404 if site.cloud else 410, "We can't find 'nobody'"):
        role.add_user(users=[site.named("marta"), "nobody"])

    assert site.held("marta") == set()


# What the SDK makes of it


def test_the_sdk_cannot_add_to_a_group_on_cloud_but_can_on_data_center(start: Start) -> None:
    with refused(404):
        start("cloud").client().add_user_to_group("marta@nordwind.example", GROUP)

    data_center = start("data-center")
    assert data_center.client().add_user_to_group("mkowalska", GROUP)
    assert list(data_center.client().group_members(GROUP)) == ["mkowalska"]


def test_the_sdks_delete_user_knows_no_account_ids(start: Start) -> None:
    with refused(400, "accountId"):
        start("cloud").client().delete_user(MARTA)


def test_the_sdk_calls_a_user_deactivated_who_is_not(start: Start) -> None:
    client = start("data-center").client()

    assert client.deactivate_user("mkowalska") is True
    assert client.user("mkowalska").active is True


def test_the_sdks_role_update_throws_everybody_else_out(site: Site) -> None:
    role = site.client().project_role("PAY", "10002")

    role.update(users=[site.named("marta")])

    assert site.held("marta") == {("project:PAY", "Developers")}
    assert ("project:PAY", "Developers") not in site.held("lena")


def test_a_stranger_who_calls_herself_by_anothers_address_is_found_first(start: Start) -> None:
    jira = {"account_id": MARTA, "username": "marta", "key": "K1"}
    imposter = {"account_id": "666", "username": "imp", "key": "K2"}
    people = {
        "marta": {"name": "Marta", "email": "marta@nordwind.example", "jira": jira},
        "imp": {"name": "Marta@nordwind.example", "email": "imp@elsewhere.example", "jira": imposter},
    }
    client = start("cloud", {"people": people}).client()

    found = client.search_users(query="marta@nordwind.example")

    assert {user.accountId for user in found} == {MARTA, "666"}
    assert not any(hasattr(user, "emailAddress") for user in found)
    assert client._get_user_id("mar") == MARTA


def test_the_sdks_search_for_everybody_stops_at_the_first_page(start: Start) -> None:
    client = start("cloud", crowd(120)).client()

    assert len(client.search_users(query="Person", maxResults=False)) == 100
    assert len(raw(client, "get", "users/search", {"maxResults": 1000}).json()) == 121


@pytest.mark.parametrize("label", ["write", "read", "person:lena"])
def test_projects_come_as_a_list_and_in_pages(start: Start, label: str) -> None:
    client = start("cloud").client(label)

    page = raw(client, "get", "project/search", {"maxResults": 1}).json()

    assert [project.key for project in client.projects()] == ["PAY", "OPS"]
    assert ([project["key"] for project in page["values"]], page["total"], page["isLast"]) == (["PAY"], 2, False)
    assert raw(client, "get", page["nextPage"].partition("/rest/api/3/")[2]).json()["values"][0]["key"] == "OPS"


def test_one_name_where_a_list_belongs_is_refused(site: Site) -> None:
    with refused(400, "Invalid request payload"):
        raw(site.client(), "post", "project/PAY/role/10002", data=json.dumps({"user": "marta"}))


def test_cloud_shows_an_address_to_its_owner_only_but_finds_by_it(start: Start) -> None:
    site = start("cloud")

    [found] = site.client().search_users(query="marta@nordwind.example")
    assert (found.accountId, hasattr(found, "emailAddress")) == (MARTA, False)
    assert site.client("person:marta").myself()["emailAddress"] == "marta@nordwind.example"


# What it does


@pytest.mark.parametrize("deployment", ["cloud", "data-center"])
def test_a_group_comes_in_pages_of_fifty(start: Start, deployment: Deployment) -> None:
    site = start(deployment, crowd(120))

    page = raw(site.client(), "get", "group/member", {"groupname": GROUP, "maxResults": 500}).json()

    assert (len(page["values"]), page["total"], page["isLast"]) == (50, 120, False)
    assert len(site.members()) == 120


def test_a_deactivated_user_keeps_memberships_that_a_listing_hides(start: Start) -> None:
    site = start("data-center")
    site.join("marta")

    raw(site.client(), "put", "user", {"username": "mkowalska"}, json.dumps({"active": False}))

    assert site.members() == []
    assert [user.name for user in site.members(includeInactiveUsers="true")] == ["mkowalska"]
    with refused(401):
        site.client("person:marta").myself()


def test_deleting_a_user_on_cloud_ends_memberships_but_the_account_stays_listed(start: Start) -> None:
    site = start("cloud")
    site.join("marta")
    client = site.client()
    client.project_role("PAY", "10002").add_user(users=MARTA)

    assert raw(client, "delete", "user", {"accountId": MARTA}).status_code == 204

    assert site.held("marta") == set()
    listed = {user["accountId"]: user["active"] for user in raw(client, "get", "users/search").json()}
    assert listed[MARTA] is False
    assert client.search_users(query="marta") == []
    with refused(404, "We can't find"):
        client.project_role("PAY", "10002").add_user(users=MARTA)


def test_a_group_in_a_role_gives_its_members_the_roles_rights(start: Start) -> None:
    site = start("cloud")
    site.join("marta")
    site.client().project_role("PAY", "10002").add_user(groups=GROUP)
    asked = [{"permissions": ["EDIT_ISSUES", "ADMINISTER_PROJECTS"], "projects": [10000, 10001]}]

    body = json.dumps({"accountId": MARTA, "projectPermissions": asked})
    answer = raw(site.client("read"), "post", "permissions/check", data=body).json()

    granted = {item["permission"]: item["projects"] for item in answer["projectPermissions"]}
    assert granted == {"EDIT_ISSUES": [10000], "ADMINISTER_PROJECTS": []}
    assert site.held("marta") == {(f"group:{GROUP}", "member"), ("project:PAY", "Developers")}
    assert [project.key for project in site.client("person:marta").projects()] == ["PAY"]


def test_actors_are_named_by_account_id_on_cloud_and_by_username_on_data_center(site: Site) -> None:
    client = site.client()
    client.project_role("PAY", "10001").add_user(users=site.named("marta"), groups=GROUP)

    actors = {actor["displayName"]: actor for actor in client.project_role("PAY", "10001").raw["actors"]}

    marta, group = actors["Marta Kowalska"], actors[GROUP]
    assert (marta["actorUser"]["accountId"] if site.cloud else marta["name"]) == site.named("marta")
    assert group["type"] == "atlassian-group-role-actor"
    assert ("groupId" in group["actorGroup"]) == site.cloud


def test_checking_permissions_is_no_write_though_it_is_posted(start: Start) -> None:
    site = start("cloud")

    raw(site.client("read"), "post", "permissions/check", data="{}")
    site.join("marta")

    assert [(entry["method"], entry["token"]) for entry in site.sandbox.writes("jira")] == [("POST", "write")]


def test_a_renamed_user_keeps_the_key(start: Start) -> None:
    data_center = start("data-center")
    data_center.sandbox.rename("marta", jira="marta.k")

    assert data_center.client().user("marta.k").key == "JIRAUSER10101"
    with pytest.raises(SystemFailed, match="is taken"):
        data_center.sandbox.rename("marta", jira="jlind")


def test_a_closed_account_is_nameless_inactive_and_in_nothing(site: Site) -> None:
    site.join("marta")

    site.sandbox.delete_accounts("marta", site.name)

    assert site.held("marta") == set()
    with refused(401):
        site.client("person:marta").myself()
    client = site.client()
    assert (client.search_users(query="marta") if site.cloud else client.search_users("marta")) == []


@pytest.mark.parametrize("deployment", ["cloud", "data-center"])
def test_its_whole_state_survives_json(deployment: Deployment) -> None:
    world = demo_world()
    simulator = JiraSimulator(world, Clock(), Credentials(b"key", world), deployment)
    saved, held = json.loads(json.dumps(simulator.state())), list(simulator.holdings())

    simulator.forget("ada")
    assert list(simulator.holdings()) != held
    simulator.restore(saved)

    assert (simulator.state(), list(simulator.holdings())) == (saved, held)


def test_on_cloud_nobody_gets_in_without_a_group_that_gives_access(start: Start) -> None:
    world = demo_world().model_dump(mode="json", exclude_none=True)
    world["jira"]["access"] = [GROUP]
    site = start("cloud", world)
    site.join("marta")
    assert site.client("person:marta").myself()["accountId"] == MARTA

    site.leave("marta")

    with pytest.raises(JIRAError) as refused:
        site.client("person:marta").myself()
    assert refused.value.status_code == 403
    assert Site(site.sandbox, "data-center").client("person:marta").myself()
