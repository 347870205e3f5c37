"""Decoys and exceptions in a review: who is on one, who touched one, what is excepted and for how long."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from onboard.connectors.vault.acl import Rule
from onboard.model import OPERATOR, Account, Classification, Phase, Resource
from onboard.review.access import Review, review
from onboard.review.decoys import audited
from onboard.review.findings import Books, Bound, Severity
from onboard.sections import Alarms
from tests.world import IDS, World

MARTA = IDS["marta"]
PAYROLL = Resource.parse("vault:group:payroll")
PATHS = {PAYROLL: ("secret/data/payroll/*",)}
SECRETS = """
@id("no-payments-secrets")
@because("Not yet")
@control("A.8.2")
forbid (principal, action == Action::"hold", resource)
when {
  resource.owner == "team-payments" &&
  resource.tags.contains("secrets") &&
  context.facts.contains("first_merge")
};
"""


def line(
    path: str = "secret/data/payroll/salaries", entity: str = "e-marta", kind: str = "request", at: int = 1
) -> str:
    """As Vault's audit device writes it, in short."""
    asked = {"id": str(at), "operation": "read", "path": path}
    told = {"time": f"2026-06-01T09:0{at}:00Z", "type": kind, "auth": {"entity_id": entity, "display_name": entity}}
    return json.dumps({**told, "request": asked})


@pytest.fixture
def books() -> Books:
    bound = {("vault", "e-marta"): Bound("a-marta", MARTA, left=False, outsourced=True)}
    return Books({}, bound, {}, lambda _: False, lambda _: Classification.INTERNAL, _protected)


def _protected(account: Account) -> bool:
    return account.handle == "backup"


def test_each_touch_on_a_decoys_path_is_found_once_with_who_how_often_and_when(tmp_path: Path, books: Books) -> None:
    file = tmp_path / "audit.log"
    other = line("secret/data/payments/dev/db")
    touched = [line(at=1), line(at=1, kind="response"), line(at=2), line(entity="", at=3), line(entity="backup")]
    file.write_text("\n".join([*touched, other]) + "\n")

    found = audited(file, PATHS, books)

    told = {(f.person, f.level, f.message) for f in found.findings}
    path = "(secret/data/payroll/salaries); find out why"
    assert told == {
        (MARTA, "read", f"touched a decoy 2 times, last 2026-06-01T09:02:00 {path}"),
        (None, "read", f"touched a decoy once, last 2026-06-01T09:03:00 {path}"),
    }
    assert {f.severity for f in found.findings} == {Severity.ALARM}
    assert found.unknown == ()


def test_what_cannot_be_read_of_an_audit_file_is_unknown_and_never_clean(tmp_path: Path, books: Books) -> None:
    torn = tmp_path / "audit.log"
    torn.write_text(f'{line()}\n{{"time": \n[]\n')

    assert len(audited(torn, PATHS, books).findings) == 1
    assert audited(torn, PATHS, books).unknown == ((str(torn), "2 lines aren't those of an audit device"),)
    ((_, why),) = audited(tmp_path / "nowhere", PATHS, books).unknown
    assert why == "No such file or directory"


def test_without_a_decoy_no_file_is_read(tmp_path: Path, books: Books) -> None:
    assert audited(tmp_path / "nowhere", {}, books) == audited(None, PATHS, books)
    assert Rule("secret/data/payroll/*", frozenset(), "").covers("secret/data/payroll/salaries")


def looked(world: World) -> tuple[Review, list[str]]:
    names = {id_: name for name, id_ in IDS.items()}
    done = review(world.services, OPERATOR)
    return done, [f"{f.severity} {f.kind} {names.get(f.person or '', f.handle)} {f.resource}" for f in done.findings]


def test_whoever_is_found_on_a_decoy_raises_an_alarm_that_is_told_once(world: World, tmp_path: Path) -> None:
    text = world.services.policy.files["resources.yaml"]
    decoy = text + "  vault:group:honeypot: {owner: team-platform, classification: restricted, decoy: true}\n"
    world.vault().secrets.identity.create_or_update_group_by_name("honeypot", group_type="internal")
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)
    world.login("marta")
    told = tmp_path / "alarms"
    watched = world.with_policy(**{"resources.yaml": decoy}).with_settings(alarms=Alarms(tell=(f"file:{told}",)))
    watched.join_vault_group("marta", "honeypot")

    deaf = watched.with_settings(alarms=Alarms(tell=(f"file:{tmp_path / 'nowhere' / 'alarms'}",)))
    missed, found = looked(deaf)
    assert (missed.exit_code, len(missed.untold), found[0]) == (5, 1, "alarm decoy marta vault:group:honeypot")
    heard, _ = looked(watched)
    looked(watched)

    assert heard.exit_code == 4
    (line,) = told.read_text().splitlines()
    assert MARTA[:10] in line
    assert "vault:group:honeypot" in line


def test_a_review_lists_the_exceptions_in_force_and_finds_those_that_nobody_needs(world: World) -> None:
    entry = "  - {{rule: no-payments-secrets, role: {}, resource: {}, owner: team-payments, because: b, control: c,"
    entry += " from: {}, ends: {}}}\n"
    today = world.today
    text = "exceptions:\n" + "".join(
        entry.format(role, resource, today - timedelta(days=9), today + timedelta(days=ends))
        for role, resource, ends in (
            ("backend-engineer", "vault:group:payments-dev", 5),
            ("backend-engineer", "vault:group:payments-staging", 5),
            ("qa-engineer", "vault:group:payments-dev", -1),
        )
    )
    excepting = world.with_policy(**{"guardrails/secrets.cedar": SECRETS, "exceptions/payments.yaml": text})
    excepting.standing("marta", Phase.TOOLING_SETUP)
    excepting.standing("marta", Phase.RAMP_UP, facts=("first_merge",))

    done, found = looked(excepting)

    ((rule, days, grants),) = [(x.rule, x.days, x.grants) for x in done.exceptions if x.grants]
    assert (rule, days, grants) == ("no-payments-secrets", 6, 1)
    assert len(done.exceptions) == 2
    assert [line for line in found if "exception" in line] == [
        "low exception team-payments vault:group:payments-dev",
        "low exception team-payments vault:group:payments-staging",
    ]
    (part,) = excepting.reconcile("marta").open
    assert [hazard.name for hazard in part.hazards] == ["exception:no-payments-secrets"]
    assert part.terms()["hazards"] == ["exception:no-payments-secrets"]
    excepting.approve(part.digest, "ada", "exception:no-payments-secrets")
    assert excepting.apply(part.digest).exit_code == 0
    assert "vault group:payments-dev member" in excepting.held("marta")
