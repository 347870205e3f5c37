"""Proof of control: a claim, a code to the work e-mail, and what policy grants before and after."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from onboard.errors import BadInput, Refused, SystemFailed, SystemRefused
from onboard.ledger import Profile, records
from onboard.lifecycle import proving
from onboard.lifecycle.proposing import bind_entered
from onboard.lifecycle.reconciling import Report
from onboard.model import OPERATOR, Account, Phase, Proof
from tests.world import IDS, World

CODE = re.compile(r"^ {4}([A-Z0-9]{4}-[A-Z0-9]{4})$", re.MULTILINE)
PERSON = IDS["marta"]


def account(world: World, system: str | None = None) -> Account:
    return proving.account_of(world.services, PERSON, system, OPERATOR)


def asked(world: World) -> str:
    """The code that marta finds in her mail, having been asked."""
    proving.ask(world.services, account(world))
    return mailed(world)[-1]


def mailed(world: World) -> list[str]:
    return [CODE.findall(message["text"])[0] for message in world.sandbox.mail(world.sandbox.person("marta").email)]


def confirm(world: World, code: str) -> Proof:
    return proving.confirm(world.services, account(world), code, OPERATOR)


def proof(world: World, system: str = "github") -> str:
    return world.register.proof(PERSON, system)


def enter(world: World, **handles: str) -> None:
    """Give marta other handles, as `onboard person set` does."""
    old = world.services.ledger.people.get(PERSON)
    world.services.ledger.people.update(PERSON, Profile(old.name, old.email, {**old.handles, **handles}))
    world.note(*(records.handle_changed(PERSON, system) for system in handles))
    bind_entered(world.services, [PERSON], OPERATOR)


def as_platform_engineer(world: World) -> Report:
    world.state(world.engagement(marta="platform-engineer"))
    world.standing("marta", Phase.TOOLING_SETUP)
    return world.reconcile("marta")


def test_whoever_takes_the_login_between_entering_and_starting_inherits_nothing(world: World) -> None:
    bind_entered(world.services, [PERSON], OPERATOR)
    world.sandbox.rename("marta", github="marta-k")
    world.sandbox.rename("mallory", github="marta-nw")

    world.onboarded("marta")
    world.accept("mallory")

    assert "github org:acme member" in world.held("marta")
    assert world.held("mallory") == []


def test_a_claim_opens_nothing_restricted_until_it_is_confirmed(world: World) -> None:
    report = as_platform_engineer(world)

    (hazard,) = report.open[0].blocked
    assert hazard.name == "guardrail:no-restricted-grant-on-a-claim"
    assert hazard.message.endswith(f"Confirm the account: onboard person confirm {PERSON[:10]} --system github")
    with pytest.raises(Refused):
        world.approve(report.open[0].digest, "ada")
    assert world.writes() == []

    confirm(world, asked(world))
    report = world.granted(world.reconcile("marta"))
    world.accept("marta")

    assert report.exit_code == 0
    assert "github repo:acme/platform-infra pull" in world.held("marta")


def test_a_confirmed_account_is_proven_by_the_work_email_and_the_company_s_own_logins_need_no_code(
    world: World,
) -> None:
    world.onboarded("marta", phase=Phase.TOOLING_SETUP)
    before = proof(world)

    confirm(world, asked(world))

    assert (before, proof(world)) == ("claimed", "work-email")
    assert (proof(world, "slack"), proof(world, "vault")) == ("claimed", "company-login")
    binding = world.register.bindings(PERSON)["github"]
    assert binding.proven is not None


def test_the_letter_names_the_account_that_the_code_stands_for(world: World) -> None:
    asked(world)

    (letter,) = world.sandbox.mail(world.sandbox.person("marta").email)
    assert "marta-nw (id 90001)" in letter["text"]
    assert f"onboard person confirm {PERSON[:10]} --system github --code" in letter["text"]


def test_no_code_stands_in_the_journal_or_in_what_asking_answers(world: World) -> None:
    answer = proving.ask(world.services, account(world))
    (code,) = mailed(world)

    confirm(world, code)

    told = [entry.line() for entry in world.services.ledger.journal.entries()]
    assert not any(code in line or code.replace("-", "") in line for line in [*told, repr(answer)])
    assert answer.code is None


def test_a_used_code_cannot_be_replayed_after_the_account_was_bound_anew(world: World) -> None:
    code = asked(world)
    confirm(world, code)
    enter(world, github="mallory")
    enter(world, github="marta-nw")

    assert proof(world) == "claimed"
    with pytest.raises(Refused, match="No code is open for this account"):
        confirm(world, code)
    assert proof(world) == "claimed"


def test_another_account_bound_meanwhile_makes_the_claim_and_the_code_void(world: World) -> None:
    code = asked(world)
    enter(world, github="mallory")

    assert account(world).external_id == str(world.sandbox.person("mallory").github["id"])
    with pytest.raises(Refused, match="No code is open"):
        confirm(world, code)
    assert proof(world) == "claimed"


def test_a_proven_account_that_another_takes_the_place_of_is_claimed_again(world: World) -> None:
    confirm(world, asked(world))

    enter(world, github="mallory")

    assert proof(world) == "claimed"
    assert as_platform_engineer(world).open[0].blocked


def test_a_renamed_account_is_not_asked_by_its_former_name_and_stays_proven(world: World) -> None:
    code = asked(world)
    world.sandbox.rename("marta", github="marta-k")
    world.sandbox.rename("mallory", github="marta-nw")

    with pytest.raises(Refused, match="answers to another account since it was bound"):
        confirm(world, code)
    enter(world, github="marta-k")
    with pytest.raises(Refused, match="so the code is void"):
        confirm(world, code)

    confirm(world, asked(world))
    world.sandbox.rename("marta", github="marta-kk")
    enter(world, github="marta-kk")
    assert account(world).external_id == "90001"
    assert proof(world) == "work-email"


def test_a_code_of_yesterday_says_how_to_get_another(world: World) -> None:
    code = asked(world)
    world.clock.ahead += timedelta(hours=25)

    with pytest.raises(Refused, match=r"expired: it counts for 24 hours\. Ask for another: onboard person confirm p-0"):
        confirm(world, code)


def test_guessing_ends_after_five_tries(world: World) -> None:
    code = asked(world)
    for left in (4, 3, 2, 1):
        with pytest.raises(Refused, match=f"That isn't the code.*tries left: {left}"):
            confirm(world, "AAAA-AAAA")
    with pytest.raises(Refused, match="was the last try"):
        confirm(world, "AAAA-AAAA")

    with pytest.raises(Refused, match="No code is open"):
        confirm(world, code)
    assert proof(world) == "claimed"


def test_of_two_who_type_the_code_at_once_one_is_told_that_it_was_used(world: World) -> None:
    code, whose = asked(world), account(world)
    refused: list[str] = []

    def type_it() -> None:
        try:
            proving.confirm(world.services, whose, code, OPERATOR)
        except Refused as refusal:
            refused.append(str(refusal))

    threads = [threading.Thread(target=type_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    assert "it was used" in refused[0]
    facts = [entry for entry in world.services.ledger.journal.entries() if entry.body.get("name") == "account_proven"]
    assert len(facts) == 1


def test_a_code_whose_sending_is_uncertain_counts_if_it_came_and_asking_again_voids_it(world: World) -> None:
    world.sandbox.fault("mail", "drop-after", method="DATA", times=1)

    with pytest.raises(SystemFailed, match="may have been sent all the same") as failure:
        proving.ask(world.services, account(world))
    (first,) = mailed(world)
    second = asked(world)

    assert failure.value.uncertain
    with pytest.raises(Refused, match="That isn't the code"):
        confirm(world, first)
    assert confirm(world, second) is Proof.WORK_EMAIL


def test_a_code_that_came_though_its_sending_was_uncertain_is_as_good_as_any(world: World) -> None:
    world.sandbox.fault("mail", "drop-after", method="DATA", times=1)
    with pytest.raises(SystemFailed):
        proving.ask(world.services, account(world))

    assert confirm(world, mailed(world)[0]) is Proof.WORK_EMAIL


def test_a_mail_server_that_says_no_leaves_no_code_open(world: World) -> None:
    world.sandbox.fault("mail", "forbidden", method="RCPT", times=1)

    with pytest.raises(SystemRefused, match="No code was sent"):
        proving.ask(world.services, account(world))
    with pytest.raises(Refused, match="No code is open"):
        confirm(world, "AAAA-AAAA")


def test_a_code_is_not_spent_where_it_could_not_be_told_whose_the_name_is(world: World) -> None:
    code, whose = asked(world), account(world)
    world.sandbox.fault("github", "500", method="GET", path="^/users/")

    with pytest.raises(SystemFailed):
        proving.confirm(world.services, whose, code, OPERATOR)
    world.sandbox.clear_faults()

    assert confirm(world, code) is Proof.WORK_EMAIL


def test_without_a_mail_server_the_code_is_told_once_and_shows_less(world: World) -> None:
    quiet = world.with_settings(mail=None)

    answer = proving.ask(quiet.services, account(quiet))

    assert answer.sent_to is None
    assert answer.code is not None
    assert answer.code not in repr(answer)
    assert confirm(quiet, answer.code) is Proof.HANDED_OVER
    assert confirm(world, asked(world)) is Proof.WORK_EMAIL
    assert world.sandbox.mail() != []


def test_what_cannot_be_confirmed_is_said(world: World) -> None:
    world.services.ledger.people.update(PERSON, replace(world.services.ledger.people.get(PERSON), handles={}))

    with pytest.raises(BadInput, match=r"Say which account: --system NAME\. Handles were entered for: none"):
        account(world)
    with pytest.raises(BadInput, match="No system 'gitlab' is configured"):
        account(world, "gitlab")
    with pytest.raises(BadInput, match=r"no handle was entered\. Enter it: onboard person set p-00000000 --jira NAME"):
        account(world, "jira")


def test_a_company_login_that_another_took_the_place_of_approves_nothing(world: World) -> None:
    report = as_platform_engineer(world)
    world.actor("ada")
    people = world.services.ledger.people
    ada = people.get(IDS["ada"])
    people.update(IDS["ada"], replace(ada, handles={**ada.handles, "vault": "mallory"}))
    world.services.ledger.journal.record(
        records.handle_changed(IDS["ada"], "vault"), actor=world.actor("piet"), at=world.clock()
    )
    world.login("mallory")
    world.reconcile("marta", "ada")

    with pytest.raises(Refused, match="was somebody's here until another was entered"):
        world.approve(report.open[0].digest, "ada")
