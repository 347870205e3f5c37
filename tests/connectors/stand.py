"""One kind of access in a sandbox, as the behaviours that all connectors share try it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import hvac
import requests
from pydantic import SecretStr
from slack_sdk import WebClient

from onboard import wiring
from onboard.connectors.base import Reader, Scope, Writer
from onboard.connectors.slack.reader import SlackReader
from onboard.engine.perform import Outcome, perform
from onboard.engine.plan import Change
from onboard.ids import new_account_id
from onboard.model import Account, AccountKind, HoldingState, Reading, Receipt, Resource
from onboard.sandbox.client import SandboxClient
from onboard.settings import Settings
from tests.world import Clock

Bring = Callable[["Stand"], Resource]
State = tuple[str, HoldingState]


@dataclass(frozen=True)
class Case:
    """One kind of access. `puts` and `takes` are the requests (verb, path) that give it and take it; `lists` reads it.

    `part` is the fault by which one of several answers to reading it is missing. What is never granted by us is brought
    about by `bring`, the vendor's own way; what only hangs on an account is read as a `route` of its residue.
    """

    name: str
    system: str
    takes: tuple[str, str]
    lists: str
    resource: str = ""
    level: str = "member"
    puts: tuple[str, str] = ("", "")
    needs: Sequence[tuple[str, str]] = ()
    part: Mapping[str, Any] = field(default_factory=dict)
    bring: Bring | None = None
    invites: bool = False
    lapses: timedelta | None = None
    accepts_what_is_so: bool = True
    kind: AccountKind = AccountKind.MEMBER
    route: str = ""
    world: Mapping[str, Any] | None = None

    @property
    def product(self) -> str:
        """The name of its kind of system."""
        return self.system.partition("-")[0]


class Stand:
    """One case in a sandbox: marta's account, and the reader and the writer as the product builds them."""

    def __init__(self, sandbox: SandboxClient, case: Case, folder: Path) -> None:
        self.sandbox, self.case, self.folder, self.clock = sandbox, case, folder, Clock()
        settings = self.settings()
        self.reader: Reader = wiring.readers(settings, self.clock)[case.product]
        self.writer: Writer = wiring.writers(settings, self.clock)[case.product]
        self.marta = self.account("marta")
        self.resource = Resource.parse(case.resource) if case.resource else Resource(case.product, "", "")

    def settings(self, **changed: str) -> Settings:
        at = {"ONBOARD_LEDGER_URL": "sqlite:////nowhere"}
        if self.case.system == "jira-data-center":
            known = self.sandbox.jira_data_center
            at |= {f"ONBOARD_JIRA__{name.upper()}": value for name, value in known.items()}
        return Settings.load({**self.sandbox.env, **at, **changed}, self.folder)

    def blind(self) -> Stand:
        """The same, with a reader whose credential isn't accepted."""
        wrong = {f"ONBOARD_{self.case.product.upper()}__READ_TOKEN": "wrong"}
        stand = copy(self)
        stand.reader = wiring.readers(self.settings(**wrong), self.clock)[self.case.product]
        return stand

    def in_small_pages(self) -> Stand:
        """The same, where Slack is read two at a time; the others have pages small enough."""
        stand = copy(self)
        if self.case.product == "slack":
            at = self.sandbox.slack
            secret = SecretStr(at["read_token"])
            stand.reader = SlackReader("slack", at["base_url"], secret, self.clock, page_size=2)
        return stand

    # People

    def handle(self, person: str) -> str:
        them = self.sandbox.person(person)
        known = {
            "github": them.github["login"],
            "jira": them.jira["account_id"],
            "jira-data-center": them.jira["username"],
            "slack": them.email,
            "vault": them.vault["username"],
        }
        return str(known[self.case.system])

    def account(self, person: str) -> Account:
        handle = self.handle(person)
        found = self.reader.find_account(handle) or Account("", self.case.product, None, handle)
        return replace(found, id=new_account_id(), person=f"p-{person}", kind=self.case.kind)

    def prepared(self) -> Stand:
        """The same, once marta has what the access rests on."""
        for text, level in self.case.needs:
            self.bound(self.writer.grant(self.marta, Resource.parse(text), level))
        if self.case.needs:
            self.accept()
        return self

    def bound(self, receipt: Receipt) -> Receipt:
        self.marta = replace(self.marta, external_id=receipt.external_id or self.marta.external_id)
        return receipt

    def accept(self) -> list[str]:
        return self.sandbox.accept("marta", self.case.system) if self.case.system != "vault" else []

    # What is done

    def grant(self) -> Receipt:
        return self.bound(self.writer.grant(self.marta, self.resource, self.case.level))

    def revoke(self) -> Receipt:
        return self.writer.revoke(self.marta, self.resource, self.case.level)

    def offer(self) -> None:
        """Have marta hold it, or an invitation to it."""
        if self.case.bring:
            self.resource = self.case.bring(self)
        else:
            self.grant()

    def give(self) -> Stand:
        """Have marta hold it, whoever has to bring it about."""
        self.prepared().offer()
        self.accept()
        assert self.held() == [(self.case.level, HoldingState.ACTIVE)]
        return self

    def perform(self, *, grants: bool) -> tuple[Outcome, list[float]]:
        """The change as the engine makes it, and how long it waited between tries."""
        level, waits = self.case.level, list[float]()
        before, after = (None, level) if grants else (level, None)
        change = Change("p-marta", self.marta, self.resource, before, after)
        outcome = perform(self.writer, self.reader, change, self.clock, waits.append)
        if outcome.receipt:
            self.bound(outcome.receipt)
        return outcome, waits

    def fault(self, kind: str, request: tuple[str, str], **details: Any) -> None:
        self.sandbox.fault(self.case.system, kind, method=request[0], path=request[1], **details)

    def advance(self, by: timedelta) -> None:
        self.clock.ahead += by
        self.sandbox.advance(seconds=by.total_seconds())

    # What comes of it

    def read(self) -> Reading:
        if self.case.route:
            residue = self.reader.residue(self.marta)
            mine = tuple(h for h in residue.remaining if h.resource == self.resource)
            return Reading(self.resource, mine, dict(residue.unknown).get(self.case.route))
        return self.reader.read(Scope(frozenset({self.resource}))).of(self.resource)

    def held(self, account: Account | None = None) -> list[State]:
        reading = self.read()
        assert reading.unknown is None, reading.unknown
        wanted = (account or self.marta).external_id
        mine = [h for h in reading.holdings if h.account == wanted and h.via == "direct"]
        return [(h.level, h.state) for h in mine]

    def sent(self, since: int, request: tuple[str, str] = ("", "")) -> list[dict[str, Any]]:
        """Requests that write, after number `since`, that took the vendor more than a look."""
        return [w for w in self.sandbox.writes(self.case.system, since) if not request[0] or _is(w, request)]

    @property
    def now(self) -> int:
        """The number of the last request."""
        return max((entry["n"] for entry in self.sandbox.requests()), default=0)

    # What vendors and people do by themselves

    def delete(self) -> None:
        """The account is deleted at the vendor; at Vault, by root, the entity."""
        if self.case.system == "vault":
            self.root().secrets.identity.delete_entity(self.marta.external_id)
        self.sandbox.delete_accounts("marta", self.case.system)

    def rename(self, person: str, handle: str) -> None:
        if self.case.system != "vault":
            self.sandbox.rename(person, **{self.case.product: handle})
            return
        identity, account = self.root().secrets.identity, self.account(person)
        alias = identity.read_entity(account.external_id)["data"]["aliases"][0]
        identity.update_entity_alias(alias["id"], handle, account.external_id, alias["mount_accessor"])

    def root(self) -> Any:
        at = self.sandbox.vault
        return hvac.Client(url=at["addr"], token=at["root_token"])

    def slack(self, token: str = "admin_token") -> WebClient:
        at = self.sandbox.slack
        return WebClient(token=at[token], base_url=at["base_url"])

    def github(self, person: str, verb: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.sandbox.person(person).github['token']}"}
        url = self.sandbox.github["base_url"] + path
        answer = requests.request(verb, url, json=body, headers=headers, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def jira(self, verb: str, path: str, **body: Any) -> Any:
        cloud = self.case.system == "jira"
        at = self.sandbox.jira if cloud else self.sandbox.jira_data_center
        session = requests.Session()
        session.auth = (at["email"], at["token"]) if cloud else None
        session.headers.update({} if cloud else {"Authorization": f"Bearer {at['token']}"})
        answer = session.request(verb, f"{at['base_url']}/rest/api/2/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()


def _is(entry: Mapping[str, Any], request: tuple[str, str]) -> bool:
    return entry["method"] == request[0] and re.search(request[1], entry["path"]) is not None
