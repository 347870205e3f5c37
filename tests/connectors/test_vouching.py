"""Checkpoints signed by Vault and told to Slack and Jira, on the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hvac
import pytest
import requests
from jira import JIRA
from slack_sdk import WebClient

from onboard import vouching
from onboard.errors import SystemFailed, SystemRefused
from onboard.ledger import Ledger, records
from onboard.ledger.proof import proofs
from onboard.ledger.proof.checkpoints import Taken, pem, take
from onboard.ledger.proof.verify_export import public_key, published
from onboard.model import OPERATOR
from onboard.sandbox.client import SandboxClient
from onboard.settings import Settings

SIGNER = "vault:transit/onboard-ledger"


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class Office:
    """A ledger with a few entries, and the sandbox's systems around it."""

    ledger: Ledger
    sandbox: SandboxClient
    folder: Path

    def settings(self, signer: str = "local", *witnesses: str, **changed: str) -> Settings:
        own = {
            "ONBOARD_LEDGER_URL": f"sqlite:///{self.folder / 'ledger.db'}",
            "ONBOARD_CHECKPOINTS__SIGNER": signer,
            "ONBOARD_CHECKPOINTS__WITNESSES": ",".join(witnesses),
        }
        return Settings.load({**self.sandbox.env, **own, **changed}, self.folder)

    def take(self, signer: str = "local", *witnesses: str, **changed: str) -> Taken:
        notary = vouching.notary(self.settings(signer, *witnesses, **changed), clock)
        return take(self.ledger.journal, notary, OPERATOR, clock)

    def note(self) -> None:
        self.ledger.journal.record(records.applied("d"), actor=OPERATOR, at=clock())


@pytest.fixture
def office(sandbox: SandboxClient, tmp_path: Path) -> Iterator[Office]:
    ledger = Ledger.begin(f"sqlite:///{tmp_path / 'ledger.db'}", clock)
    made = Office(ledger, sandbox, tmp_path)
    made.note()
    made.note()
    yield made
    ledger.close()


def root(sandbox: SandboxClient) -> Any:
    return hvac.Client(sandbox.vault["addr"], token=sandbox.vault["root_token"])


# Vault signs


def test_a_checkpoint_signed_by_vault_verifies_with_the_key_that_vault_publishes(office: Office) -> None:
    taken = office.take(SIGNER)

    told = root(office.sandbox).secrets.transit.read_key("onboard-ledger")["data"]
    published_key = told["keys"][str(told["latest_version"])]["public_key"]
    verdict = proofs.verify(office.ledger.journal.rows(), [published_key])
    assert (verdict.problem, verdict.sealed) == (None, taken.checkpoint)
    assert taken.checkpoint.size == 2
    signer = vouching.notary(office.settings(SIGNER), clock).signer
    assert public_key(pem(signer.public_key()).encode()) == published_key


def test_after_the_key_is_rotated_the_new_version_signs_and_both_are_pinned(office: Office) -> None:
    old = office.take(SIGNER).checkpoint
    root(office.sandbox).secrets.transit.rotate_key("onboard-ledger")
    office.note()

    new = office.take(SIGNER).checkpoint

    assert new.key != old.key
    rows = list(office.ledger.journal.rows())
    assert proofs.verify(rows, [old.key, new.key]).problem is None
    assert proofs.verify(rows, [new.key]).problem == (
        f"entry 3: it holds a checkpoint, but it is signed by another key, {old.key}"
    )


@pytest.mark.parametrize(
    ("token", "verb", "path"),
    [
        ("token", "GET", "transit/keys/onboard-ledger"),
        ("token", "GET", "transit/export/signing-key/onboard-ledger"),
        ("token", "POST", "transit/keys/onboard-ledger/rotate"),
        ("token", "DELETE", "transit/keys/onboard-ledger"),
        ("token", "POST", "transit/sign/another"),
        ("read_token", "POST", "transit/sign/onboard-ledger"),
        ("read_token", "GET", "transit/export/signing-key/onboard-ledger"),
    ],
)
def test_onboards_tokens_may_sign_with_that_key_or_read_its_public_half_and_no_more(
    sandbox: SandboxClient, token: str, verb: str, path: str
) -> None:
    headers = {"X-Vault-Token": sandbox.vault[token]}

    answer = requests.request(verb, f"{sandbox.vault['addr']}/v1/{path}", headers=headers, json={}, timeout=10)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("signer", "said"),
    [
        ("vault:transit/nothing", r"read the public key of transit/nothing: answered 403"),
        ("vault:elsewhere/onboard-ledger", r"read the public key of elsewhere/onboard-ledger: answered 403"),
    ],
)
def test_a_key_that_is_not_there_is_said_and_nothing_is_recorded(office: Office, signer: str, said: str) -> None:
    with pytest.raises(SystemRefused, match=said):
        office.take(signer)

    assert office.ledger.journal.head().seq == 2


@pytest.mark.parametrize("fault", ["500", "drop-after"])
def test_an_answer_that_vault_fails_to_give_leaves_nothing_behind_and_the_next_run_signs(
    office: Office, fault: str
) -> None:
    office.sandbox.fault(system="vault", kind=fault, method="POST", path="/sign/", times=1)

    with pytest.raises(SystemFailed, match="sign with transit/onboard-ledger"):
        office.take(SIGNER)
    assert office.ledger.journal.head().seq == 2
    assert office.take(SIGNER).fresh


# Slack and Jira are told


def channel(sandbox: SandboxClient, name: str = "onboarding") -> str:
    """Everything that was said in a channel, as one of its members reads it with the vendor's own SDK."""
    slack = WebClient(token=sandbox.person("ada").slack["token"], base_url=sandbox.slack["base_url"])
    ids = {told["name"]: told["id"] for told in slack.conversations_list()["channels"]}
    return json.dumps(slack.conversations_history(channel=ids[name])["messages"])


def tracker(at: Mapping[str, str], *, cloud: bool) -> JIRA:
    """Jira as somebody uses it with the vendor's own SDK."""
    login = {"basic_auth": (at["email"], at["token"])} if cloud else {"token_auth": at["token"]}
    options: dict[str, Any] = {"rest_api_version": "3" if cloud else "2"}
    return JIRA(at["base_url"], options=options, max_retries=0, get_server_info=False, **login)


def issue(jira: JIRA) -> str:
    """An issue to comment on."""
    return str(jira.create_issue(project="PAY", summary="Checkpoints", issuetype={"name": "Task"}, prefetch=False).key)


def test_a_slack_channel_is_told_and_what_is_read_there_reveals_a_journal_cut_short(office: Office) -> None:
    taken = office.take("local", "slack:onboarding")

    seen = published(channel(office.sandbox))
    assert (taken.told, taken.failed) == (("slack:onboarding",), ())
    assert seen == [taken.checkpoint]
    rows = list(office.ledger.journal.rows())
    assert proofs.verify(rows, witnesses={"#onboarding": seen}).problem is None
    cut = proofs.verify(rows[:1], witnesses={"#onboarding": seen}).problem
    assert cut == "entry 2: is missing; #onboarding saw entry 2"


@pytest.mark.parametrize("cloud", [True, False])
def test_an_issue_is_told_on_cloud_and_on_data_center(office: Office, *, cloud: bool) -> None:
    at = office.sandbox.jira if cloud else office.sandbox.jira_data_center
    jira = tracker(at, cloud=cloud)
    key = issue(jira)
    settings = {f"ONBOARD_JIRA__{name.upper()}": value for name, value in at.items()}

    taken = office.take("local", f"jira:{key}", **settings)

    assert taken.told == (f"jira:{key}",)
    said = [comment.raw["body"] for comment in jira.comments(key)]
    assert len(said) == 1
    assert published(json.dumps(said)) == [taken.checkpoint]


def test_who_could_not_be_told_is_told_later_and_the_others_only_once(office: Office) -> None:
    witnesses = ("slack:onboarding", f"file:{office.folder / 'w.jsonl'}")
    office.sandbox.fault(system="slack", kind="500", path="chat.postMessage")
    first, failed = office.take("local", *witnesses), office.take("local", *witnesses)
    office.note()
    office.take("local", *witnesses)
    office.sandbox.clear_faults()

    office.take("local", *witnesses)

    assert [name for name, _ in first.failed] == [name for name, _ in failed.failed] == ["slack:onboarding"]
    assert (first.fresh, failed.fresh) == (True, False)
    kept = published((office.folder / "w.jsonl").read_text())
    assert [told.size for told in kept] == [2, 5]
    assert [told.size for told in published(channel(office.sandbox))] == [5]


def test_a_lost_answer_is_told_again_which_is_harmless_to_readers(office: Office) -> None:
    office.sandbox.fault(system="slack", kind="drop-after", path="chat.postMessage", times=1)

    lost, again = office.take("local", "slack:onboarding"), office.take("local", "slack:onboarding")

    assert (len(lost.failed), len(again.failed)) == (1, 0)
    seen = published(channel(office.sandbox))
    assert seen == [lost.checkpoint, lost.checkpoint]
    assert proofs.verify(office.ledger.journal.rows(), witnesses={"slack": seen}).problem is None


@pytest.mark.parametrize(
    ("witness", "said"),
    [
        ("slack:nowhere", "tell nowhere a line: answered channel_not_found"),
        ("jira:PAY-99", r"tell PAY-99 a checkpoint: answered 404"),
        ("jira:../user", r"\.\./user is no issue's key"),
    ],
)
def test_a_place_that_is_not_there_is_said(office: Office, witness: str, said: str) -> None:
    taken = office.take("local", witness)

    [(name, reason)] = taken.failed
    assert name == witness
    assert re.search(said, reason)
