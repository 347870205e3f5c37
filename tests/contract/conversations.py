"""Everything that our connectors can be asked, asked of the sandbox while it records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import hvac
import pytest
import requests
from pydantic import SecretStr

from onboard import vouching, wiring
from onboard.connectors.base import Reader, Scope, Writer
from onboard.connectors.letters import Letter
from onboard.connectors.usage import UsageReader
from onboard.connectors.vault.login import vault_login, whoami
from onboard.errors import OnboardError, SystemFailed
from onboard.model import Account, AccountKind, Receipt, Resource
from onboard.sandbox.client import SandboxClient
from onboard.sections import Notices
from onboard.settings import Settings
from onboard.telling import carriers
from tests.connectors.github.support import APP_MAY, a_reader, a_writer, an_app, installed
from tests.connectors.github.world import demo

Entitlements = Sequence[tuple[str, str]]

GITHUB: Entitlements = [
    ("github:org:acme", "member"),
    ("github:team:acme/outsourced-readers", "member"),
    ("github:team:acme/payments-engineers", "maintainer"),
    ("github:repo:acme/docs", "pull"),
    ("github:repo:acme/payments-api", "push"),
]
JIRA: Entitlements = [
    ("jira:group:outsourced-engineers", "member"),
    ("jira:project:PAY", "Developers"),
    ("jira:project:OPS", "Viewers"),
]
SLACK: Entitlements = [
    ("slack:channel:payments-dev", "member"),
    ("slack:channel:onboarding", "member"),
    ("slack:usergroup:qa-engineers", "member"),
    ("slack:usergroup:payments-engineers", "member"),
]
VAULT: Entitlements = [
    ("vault:login:userpass", "enabled"),
    ("vault:group:payments-dev", "member"),
    ("vault:group:data-read", "member"),
]
#: What readers can be asked besides, where they have it, and whether it is asked of one account.
MORE_READS: Mapping[str, bool] = {"capabilities": False, "residue": True}


@dataclass
class Clock:
    """The machine's time, and what was added to it."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Conversation:
    """One system's reader and writer, as the product builds them for this sandbox."""

    def __init__(self, sandbox: SandboxClient, system: str, folder: Path, **changed: str) -> None:
        environment = {**sandbox.env, **changed, "ONBOARD_LEDGER_URL": "sqlite:////nowhere"}
        settings = Settings.load(environment, folder)
        self.sandbox = sandbox
        self.clock = Clock()
        self.settings = settings
        self.reader: Reader = wiring.readers(settings, self.clock)[system]
        self.writer: Writer = wiring.writers(settings, self.clock)[system]

    def account(self, handle: str, person: str) -> Account:
        """The person's account by its handle; one that is still to be made where there is none."""
        found = self.reader.find_account(handle) or Account("", self.reader.system, None, handle)
        return replace(found, id=f"a-{person:>032}".replace(" ", "0"), person=f"p-{person}")

    def introduce(self, handle: str, nobody: str = "nobody-of-that-name") -> Account:
        """Health of both sides, and a look at somebody who is there and at `nobody`."""
        for side in (self.reader, self.writer):
            health = side.health()
            assert health.reachable, health.problem
            assert not health.problem
        assert self.reader.find_account(nobody) is None
        return self.account(handle, handle)

    def grant(self, account: Account, entitlements: Entitlements) -> Account:
        """Grant each one, twice; the account as it is known afterwards."""
        for text, level in entitlements:
            for _ in range(2):
                receipt = self.writer.grant(account, Resource.parse(text), level)
                account = self._bound(account, receipt)
        return account

    def revoke(self, account: Account, entitlements: Entitlements) -> None:
        """Revoke each one, twice, the last granted first."""
        for text, level in reversed(entitlements):
            for _ in range(2):
                self.writer.revoke(account, Resource.parse(text), level)

    def read(self, account: Account, entitlements: Entitlements = ()) -> None:
        """Read these, or else everything, and whatever else a reader tells. Nothing may be unknown."""
        wanted = frozenset(Resource.parse(text) for text, _ in entitlements)
        observation = self.reader.read(Scope(wanted or None))
        assert observation.unknown is None, observation.unknown
        assert not [r.unknown for r in observation.readings.values() if r.unknown]
        for name, of_one in MORE_READS.items():
            if (ask := getattr(self.reader, name, None)) is not None:
                ask(*[account] if of_one else [])

    def witness(self, place: str) -> None:
        """Tell a channel or an issue a line of text."""
        told = self.settings.checkpoints.model_copy(update={"witnesses": (f"{self.reader.system}:{place}",)})
        [witness] = vouching.notary(self.settings.model_copy(update={"checkpoints": told}), self.clock).witnesses
        witness.publish('{"size":1}')

    def ask(self, to: str, **asking: str) -> None:
        """Write to an approver, look for it, change it: all that a carrier does."""
        (carrier,), _ = carriers(self.settings.model_copy(update={"notices": Notices(**asking)}), self.clock)
        letter = Letter(
            "7f3a-1", "7" * 64, "Marta: plan 77777777", ("grant  jira:project:PAY",), ("A note",), asks=True
        )
        place, since = carrier.place(to), self.clock()
        assert carrier.find(place, letter.key, since) is None
        mark = carrier.send(place, letter)
        assert carrier.find(place, letter.key, since) == mark
        carrier.change(place, mark, replace(letter, asks=False, outcome="applied"))

    def whole_life(self, account: Account, entitlements: Entitlements, accept: Sequence[str] = ()) -> Account:
        """Granted and accepted, read, revoked, granted again, and cut off while still invited; then once more."""
        account = self.grant(account, entitlements)
        self.read(account)
        for person in accept:
            self.sandbox.accept(person)
        self.read(account)
        self.read(account, entitlements)
        self.revoke(account, entitlements)
        account = self.grant(account, entitlements)
        self.writer.cut_off(account)
        self.writer.cut_off(account)
        self.read(account)
        return account

    def revoke_what_is_read(self, account: Account) -> list[str]:
        """Everything that the account holds directly, whoever granted it, as when a person leaves; what it was."""
        observation = self.reader.read(Scope())
        holdings = [holding for reading in observation.readings.values() for holding in reading.holdings]
        mine = [held for held in holdings if held.account == account.external_id and held.via == "direct"]
        for held in mine:
            self.writer.revoke(account, held.resource, held.level)
        return [str(held.resource) for held in mine]

    def cut_off_against(self, account: Account, *faults: Mapping[str, Any]) -> None:
        """Cut off where some levers are refused, so that the finer ones are pulled."""
        for fault in faults:
            self.sandbox.fault(**fault)
        with pytest.raises(SystemFailed):
            self.writer.cut_off(account)
        self.sandbox.clear_faults()

    def _bound(self, account: Account, receipt: Receipt) -> Account:
        return replace(account, external_id=receipt.external_id or account.external_id)


def rich_github() -> dict[str, Any]:
    """The demo's world, and there every other route by which marta holds access to GitHub; and an App."""
    return demo(
        app=installed(**APP_MAY),
        custom_roles={"release": "push"},
        org_roles={"security_manager": ["marta"]},
        tokens=[{"owner": "marta", "name": "laptop"}, {"owner": "marta", "name": "ci", "requested": True}],
        saml=[{"owner": "marta"}],
        members=["ada", "marta"],
        repos=[
            {"name": name, "collaborators": {"marta": "admin"}, "pushes": {"marta": 2}}
            for name in ("docs", "payments-api")
        ],
        teams=[
            {"slug": "outsourced-readers", "name": "Readers", "members": ["ada"], "repos": {"docs": "triage"}},
            {"slug": "payments-engineers", "name": "Engineers", "parent": "outsourced-readers", "members": ["marta"]},
        ],
    )


def talk_to_github(sandbox: SandboxClient, folder: Path) -> None:
    talk = Conversation(sandbox, "github", folder)
    marta = talk.introduce("marta-nw")
    _as_person(sandbox, "marta", "POST", "/repos/acme/docs/keys", {"title": "laptop", "key": "ssh-ed25519 AAAA"})
    _as_person(sandbox, "octo-admin", "PUT", "/orgs/acme/blocks/mallory", None)
    talk.read(marta)
    assert isinstance(talk.reader, UsageReader)
    assert talk.reader.last_writes(Resource.parse("github:repo:acme/docs"), talk.clock() - timedelta(days=7))
    talk.whole_life(marta, GITHUB, accept=["marta"])
    talk.grant(marta, GITHUB)
    talk.grant(marta, [("github:repo:acme/docs", "triage"), ("github:team:acme/outsourced-readers", "maintainer")])
    sandbox.advance(days=8)
    talk.clock.ahead += timedelta(days=8)
    talk.read(marta)
    talk.grant(marta, GITHUB)
    sandbox.accept("marta")
    assert talk.revoke_what_is_read(marta)
    talk.grant(marta, GITHUB)
    sandbox.accept("marta")
    forbidden = {"system": "github", "kind": "forbidden", "method": "DELETE"}
    talk.cut_off_against(
        marta, {**forbidden, "path": "^/orgs/acme/memberships/"}, {**forbidden, "path": "outside_collaborators"}
    )
    talk.read(talk.account("octo-admin", "octo-admin"))
    sandbox.delete_accounts("marta", "github")
    talk.read(marta)


def talk_to_github_as_an_app(sandbox: SandboxClient, folder: Path) -> None:
    """With tokens that an App is given for an hour: what only Apps see is read and taken, too."""
    talk = Conversation(sandbox, "github", folder)
    talk.reader, talk.writer = a_reader(sandbox, an_app()), a_writer(sandbox, an_app())
    marta = talk.introduce("marta-nw")
    _as_person(sandbox, "marta", "POST", "/repos/acme/docs/keys", {"title": "laptop", "key": "ssh-ed25519 AAAA"})
    talk.read(marta)
    taken = talk.revoke_what_is_read(marta)
    assert {resource.split(":")[1] for resource in taken} >= {"token", "token-request", "deploy-key"}
    talk.grant(marta, GITHUB)
    talk.writer.cut_off(marta)


def talk_to_jira(sandbox: SandboxClient, folder: Path, *, cloud: bool) -> None:
    at = sandbox.jira if cloud else sandbox.jira_data_center
    changed = {f"ONBOARD_JIRA__{name.upper()}": value for name, value in at.items()}
    talk = Conversation(sandbox, "jira", folder, **changed)
    known = "account_id" if cloud else "username"
    marta = talk.introduce(str(sandbox.person("marta").jira[known]))
    by_address = partial(talk.account, "jonas@nordwind.example", "jonas")
    _refused(by_address) if cloud else by_address()
    talk.whole_life(marta, JIRA)
    jonas = talk.account(str(sandbox.person("jonas").jira[known]), "jonas")
    talk.grant(jonas, JIRA)
    assert talk.revoke_what_is_read(jonas)
    talk.grant(jonas, JIRA)
    system = "jira" if cloud else "jira-data-center"
    broken = {"system": system, "kind": "500", "method": "GET"}
    listed = "/user/groups" if cloud else "/user$"
    talk.cut_off_against(
        jonas,
        {**broken, "path": listed, "skip": 0 if cloud else 1, "times": 1},
        {**broken, "method": "DELETE", "kind": "forbidden", "path": "role"},
    )
    sandbox.delete_accounts("jonas", system)
    talk.read(jonas)
    talk.witness(_issue(at, cloud=cloud))
    talk.ask("", jira="jira", jira_project="PAY", jira_approved="Approved")


def talk_to_slack(sandbox: SandboxClient, folder: Path) -> None:
    talk = Conversation(sandbox, "slack", folder)
    marta = talk.introduce("marta@nordwind.example", "nobody@nordwind.example")
    talk.whole_life(marta, SLACK[:3])
    jonas = talk.account("jonas@nordwind.example", "jonas")
    talk.grant(jonas, SLACK)
    assert talk.revoke_what_is_read(jonas)
    talk.grant(jonas, SLACK)
    talk.cut_off_against(
        jonas,
        {"system": "slack", "kind": "forbidden", "path": "/scim/"},
        {"system": "slack", "kind": "forbidden", "path": "session.reset"},
        {"system": "slack", "kind": "500", "path": "users.conversations"},
    )
    talk.witness("onboarding")
    talk.ask(sandbox.person("ada").slack["id"], slack="slack")
    guest = replace(talk.account("ines@nordwind.example", "ines"), kind=AccountKind.GUEST)
    talk.grant(guest, SLACK[:1])
    talk.writer.cut_off(guest)
    assert not any(receipt.changed for receipt in talk.writer.cut_off(replace(guest, external_id="U0NOBODY000")))
    talk.read(guest)


def talk_to_vault(sandbox: SandboxClient, folder: Path) -> None:
    talk = Conversation(sandbox, "vault", folder)
    talk.introduce("ada")
    marta = talk.whole_life(talk.account("marta", "marta"), VAULT)
    talk.grant(marta, VAULT)
    known = sandbox.person("marta").vault
    answer = requests.post(
        f"{sandbox.vault['addr']}/v1/auth/userpass/login/{known['username']}",
        json={"password": known["password"]},
        timeout=10,
    )
    whoami(sandbox.vault["addr"], SecretStr(answer.json()["auth"]["client_token"]), None)
    _log_in_by_approle(sandbox)
    talk.read(marta)
    assert talk.revoke_what_is_read(marta)
    talk.writer.cut_off(marta)
    talk.writer.cut_off(replace(marta, external_id="00000000-0000-0000-0000-000000000000"))


def _issue(at: Mapping[str, str], *, cloud: bool) -> str:
    """A new issue's key."""
    auth = (at["email"], at["token"]) if cloud else None
    headers = {} if cloud else {"Authorization": f"Bearer {at['token']}"}
    fields = {"project": {"key": "PAY"}, "summary": "Checkpoints", "issuetype": {"name": "Task"}}
    url = f"{at['base_url']}/rest/api/{3 if cloud else 2}/issue"
    answer = requests.post(url, json={"fields": fields}, auth=auth, headers=headers, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["key"])


def _log_in_by_approle(sandbox: SandboxClient) -> None:
    """As onboard itself does where it is given a role and a secret id."""
    root = hvac.Client(url=sandbox.vault["addr"], token=sandbox.vault["root_token"])
    root.sys.enable_auth_method("approle")
    root.auth.approle.create_or_update_approle("onboard")
    role = root.auth.approle.read_role_id("onboard")["data"]["role_id"]
    secret = root.auth.approle.generate_secret_id("onboard")["data"]["secret_id"]
    assert vault_login(sandbox.vault["addr"], role, SecretStr(secret), None).get_secret_value()


def _as_person(sandbox: SandboxClient, person: str, verb: str, path: str, body: Mapping[str, Any] | None) -> None:
    """What somebody does by themselves at GitHub."""
    headers = {"Authorization": f"Bearer {sandbox.person(person).github['token']}"}
    requests.request(verb, sandbox.github["base_url"] + path, json=body, headers=headers, timeout=10).raise_for_status()


def _refused(call: Callable[[], Any]) -> None:
    """A call that must be refused: Cloud hides addresses."""
    try:
        call()
    except OnboardError:
        return
    raise AssertionError("it was not refused")
