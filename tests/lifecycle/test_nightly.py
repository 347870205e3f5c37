"""What time alone has ended goes without anybody typing a command."""

from __future__ import annotations

from onboard.lifecycle.nightly import correct
from onboard.lifecycle.offboarding import offboard
from onboard.model import OPERATOR, SCHEDULER, Phase
from tests.world import IDS, World


def test_an_nda_that_lapsed_overnight_is_found_for_everybody_and_others_are_left_alone(world: World) -> None:
    world.onboarded("marta", phase=Phase.DISCOVERY)
    world.signed("marta", "nda_signed", until=world.today)
    assert correct(world.services, SCHEDULER) is None

    world.advance_time(days=1)
    report = correct(world.services, SCHEDULER)

    assert report is not None
    assert report.plan.people == (IDS["marta"],)
    assert world.held("marta") == []
    assert correct(world.services, OPERATOR) is None


def test_what_was_given_back_to_somebody_who_left_goes_again(world: World) -> None:
    world.onboarded("marta", phase=Phase.DISCOVERY)
    offboard(world.services, IDS["marta"], None, OPERATOR)
    world.repository("docs").add_to_collaborators(world.login_of("marta"), permission="pull")

    correct(world.services, SCHEDULER)

    assert world.held("marta") == []


def test_a_system_that_cannot_be_read_keeps_what_it_has(world: World) -> None:
    world.onboarded("marta", phase=Phase.DISCOVERY)
    world.signed("marta", "nda_signed", until=world.today)
    world.advance_time(days=1)
    world.sandbox.fault("github", "500")

    report = correct(world.services, SCHEDULER)

    assert report is not None
    assert report.exit_code == 5
    assert {line.split()[0] for line in world.held("marta")} == {"github"}
