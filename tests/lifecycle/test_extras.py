"""What is asked for or taken beside a role: who decides, what is granted until when, and that it goes again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from onboard.engine.plan import Authority
from onboard.errors import BadInput, NotAuthorised
from onboard.extras import Extra
from onboard.ledger import records
from onboard.lifecycle import extras, offboarding, tasks
from onboard.lifecycle.extras import Ask
from onboard.lifecycle.reconciling import Report
from onboard.model import OPERATOR, SCHEDULER, Phase
from onboard.sections import Alarms
from tests.world import IDS, World

MARTA = IDS["marta"]
DOCS, API = "github:repo:acme/docs", "github:repo:acme/payments-api"
GLASS = f"""
@id("glass")
@because("Payments may be broken")
@owner("{IDS["ada"]}")
permit (principal, action == Action::"break_glass", resource)
when {{ context.owner == "team-payments" && context.minutes <= 60 }};
"""


def asked(resource: str = API, level: str = "push", hours: float = 4, because: str = "a fix") -> Ask:
    return Ask(resource, level, timedelta(hours=hours), because)


def request(world: World, ask: Ask, by: str = "marta") -> tuple[Extra, Report]:
    return extras.request(world.services, MARTA, ask, world.actor(by))


def sweep(world: World) -> Report | None:
    return extras.sweep(world.services, SCHEDULER).report


@pytest.fixture
def glass(world: World, tmp_path: Path) -> World:
    """The world, where payments' glass may be broken for an hour, and a file is told."""
    allowing = world.with_policy(**{"authority/glass.cedar": GLASS})
    return allowing.with_settings(alarms=Alarms(tell=(f"file:{tmp_path / 'alarms'}",)))


def test_a_request_is_granted_once_the_sponsor_approves_and_taken_back_when_its_time_is_over(world: World) -> None:
    world.onboarded("marta")
    world.login("marta")
    before = world.held("marta")
    made, report = request(world, asked())
    assert (report.exit_code, world.held("marta")) == (6, before)

    (part,) = report.open
    assert (part.authority, [str(c) for c in part.changes]) == ("request", [f"grant {API} pull → push"])
    assert part.terms()["changes"][0]["warrants"][0]["until"] == made.ends.isoformat()
    world.approve(part.digest, "ada")
    assert world.apply(part.digest).exit_code == 0
    world.accept("marta")
    assert "github repo:acme/payments-api push" in world.held("marta")

    world.advance_time(hours=3, minutes=50)
    assert sweep(world) is None
    world.advance_time(minutes=11)
    swept = sweep(world)

    assert swept is not None
    assert [o.change.because for o in swept.removed] == ["held above what policy gives (pull)"]
    assert world.held("marta") == before
    assert sweep(world) is None


def test_whoever_asked_never_approves_it_and_the_sponsor_who_asked_needs_anothers_word(world: World) -> None:
    world.onboarded("marta")
    _, report = request(world, asked(), by="ada")
    (part,) = report.open

    for person in ("ada", "marta"):
        with pytest.raises(NotAuthorised):
            world.approve(part.digest, person)
    world.approve(part.digest, "piet")

    assert world.apply(part.digest).exit_code == 0


def test_a_request_leaves_the_plan_of_the_role_as_it_is(world: World) -> None:
    world.standing("marta")
    (role,) = world.reconcile("marta").open
    _, report = request(world, asked(DOCS, "pull"))

    assert {part.authority: part.digest for part in report.open}[Authority.APPROVAL] == role.digest
    world.approve(role.digest, "ada")
    assert world.apply(role.digest).exit_code == 6
    (waiting,) = world.register.open_proposals()
    assert waiting.authority == "request"


def test_a_request_that_nobody_approved_in_time_is_withdrawn(world: World) -> None:
    world.onboarded("marta")
    _, report = request(world, asked())

    world.advance_time(hours=5)
    sweep(world)

    assert world.register.open_proposals() == ()
    assert world.register.proposal(report.open[0].digest).settled == "withdrawn"
    assert sweep(world) is None


def test_asked_again_it_is_the_same_request_and_withdrawn_it_is_gone(world: World) -> None:
    world.onboarded("marta")
    made, report = request(world, asked())
    again, _ = request(world, asked())
    assert again.entry == made.entry
    world.granted(report)

    withdrawn = extras.withdraw(world.services, made.entry, world.actor("marta"))

    assert withdrawn.exit_code == 0
    assert not any("push" in line for line in world.held("marta"))


def test_everything_that_is_wrong_with_a_request_is_said_at_once(world: World) -> None:
    world.onboarded("marta")

    with pytest.raises(BadInput) as caught:
        request(world, Ask("vault:group:platform-ops", "admin", timedelta(hours=5), " "))

    told = " ".join(str(problem) for problem in caught.value.problems)
    for word in ("no level 'admin'", "4 h at most", "Say why", "rests on vault:login"):
        assert word in told
    assert world.register.extras(MARTA) == ()


def test_nobody_without_a_login_asks_nor_a_colleague(world: World) -> None:
    world.onboarded("marta")

    with pytest.raises(NotAuthorised, match="Log in first"):
        extras.request(world.services, MARTA, asked(), OPERATOR)
    with pytest.raises(NotAuthorised, match="No rule permits you"):
        request(world, asked(), by="jonas")


def test_a_guardrail_refuses_what_is_asked_for(world: World) -> None:
    world.onboarded("marta")

    _, report = request(world, asked(API, "admin"))

    assert report.exit_code == 3
    assert [hazard.name for hazard in report.open[0].blocked] == ["guardrail:no-administration"]


def test_a_broken_glass_gives_at_once_is_told_and_has_to_be_reviewed(glass: World, tmp_path: Path) -> None:
    glass.onboarded("marta")
    marta = glass.actor("marta")
    before = glass.held("marta")

    made, report = extras.break_glass(glass.services, MARTA, asked(hours=1), marta)
    told, failed = extras.tell(glass.services, marta)

    assert report.exit_code == 0
    assert "github repo:acme/payments-api push" in glass.held("marta")
    (approval,) = glass.register.grant_history(MARTA, made.resource)[-1].approvals
    assert (approval.actor.id, approval.rule) == (IDS["ada"], "glass")
    assert ([x.entry for x in told], failed) == ([made.entry], ())
    assert "took push on github:repo:acme/payments-api" in (tmp_path / "alarms").read_text()
    assert extras.tell(glass.services, marta) == ((), ())
    assert extras.break_glass(glass.services, MARTA, asked(hours=1), marta)[0].entry == made.entry

    glass.advance_time(hours=1, minutes=1)
    sweep(glass)
    assert glass.held("marta") == before
    (task,) = tasks.standing(glass.register)
    assert (task.owner, task.person) == (IDS["ada"], MARTA)
    proof = tmp_path / "review.txt"
    proof.write_text("looked through")
    with pytest.raises(NotAuthorised, match="about themselves"):
        tasks.done(glass.services, task.id, proof, marta)
    assert tasks.look(glass.services, OPERATOR) == ()
    tasks.done(glass.services, task.id, proof, glass.actor("ada"))
    assert tasks.standing(glass.register) == ()


def test_the_glass_is_broken_by_the_person_alone_and_only_where_a_rule_says_so(glass: World, world: World) -> None:
    world.onboarded("marta")

    with pytest.raises(NotAuthorised, match="for somebody else"):
        extras.break_glass(glass.services, MARTA, asked(hours=1), glass.actor("ada"))
    with pytest.raises(NotAuthorised, match="No rule permits you"):
        extras.break_glass(glass.services, MARTA, asked(DOCS, "triage", hours=1), glass.actor("marta"))
    with pytest.raises(NotAuthorised, match="No rule permits anybody"):
        extras.break_glass(world.services, MARTA, asked(hours=1), world.actor("marta"))
    assert world.register.extras(MARTA) == ()


def test_guardrails_hold_for_a_broken_glass(glass: World) -> None:
    glass.onboarded("marta")

    _, report = extras.break_glass(glass.services, MARTA, asked(API, "admin", hours=1), glass.actor("marta"))

    assert report.exit_code == 3
    assert not any("admin" in line for line in glass.held("marta"))


def test_a_glass_doesnt_stand_open_again_after_a_cut_off_is_undone(glass: World) -> None:
    glass.onboarded("marta", phase=Phase.RAMP_UP)
    glass.note(records.happened("first_merge", MARTA, engagement="payments"))
    ask = asked("github:repo:acme/payments-web", "pull", hours=1)
    extras.break_glass(glass.services, MARTA, ask, glass.actor("marta"))
    offboarding.cut_off(glass.services, MARTA, OPERATOR)

    report = offboarding.restore(glass.services, MARTA, glass.actor("ada"))

    assert "break-glass" not in {part.authority for part in report.plan.parts}
    assert not any("payments-web" in line for line in glass.held("marta"))
