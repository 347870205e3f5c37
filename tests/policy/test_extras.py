"""What somebody holds beside their role: until a moment, and only while they may hold anything at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from onboard.extras import ExtraKind
from onboard.model import Grant, Phase
from onboard.policy.desired import desired
from tests.policy.small import ADA, MARTA, TODAY, Register, engagement, extra, fact, policy, register

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DEV, API = "vault:group:dev", "github:repo:acme/api"


def beside(on: Register, now: datetime = NOON) -> list[Grant]:
    return [grant for grant in desired(policy(), on, [MARTA], now.date(), now) if grant.extra]


def test_an_extra_is_wanted_until_its_minute_and_not_after() -> None:
    asked = register(beside=(extra(API, "maintain"),))

    (grant,) = beside(asked, datetime(2026, 6, 1, 12, 59, tzinfo=UTC))

    assert (str(grant.resource), grant.level) == (API, "maintain")
    assert grant.limit.when == "2026-06-01 13:00 UTC"
    assert str(grant.warrants[0].source) == "ledger:41"
    assert beside(asked, datetime(2026, 6, 1, 13, tzinfo=UTC)) == []


def test_what_the_role_gives_stays_a_grant_of_its_own() -> None:
    grants = desired(policy(), register(beside=(extra(API, "maintain"),)), [MARTA], TODAY, NOON)

    on_api = [(grant.extra, grant.level) for grant in grants if str(grant.resource) == API]
    assert on_api == [("", "push"), ("request", "maintain")]


def test_an_extra_that_gives_no_more_than_the_role_is_no_grant() -> None:
    assert beside(register(beside=(extra(API, "pull"), extra("jira:project:PAY", "Viewers")))) == []


def test_on_an_open_scale_an_extra_is_beside_the_levels_of_the_role() -> None:
    (grant,) = beside(register(Phase.DISCOVERY, beside=(extra("jira:project:PAY", "Developers"),)))

    assert grant.level == "Developers"


@pytest.mark.parametrize(
    "changed",
    [
        {"gone": frozenset({MARTA})},
        {"gone": frozenset({ADA})},
        {"held": {"security_training": fact("security_training")}},
        {"held": {"nda_signed": fact("nda_signed"), "security_training": fact("security_training", date(2026, 5, 31))}},
        {"engagements": {"payments": engagement(ends=date(2026, 5, 31))}},
        {"engagements": {}},
        {"beside": (replace(extra(DEV, "member"), withdrawn=NOON),)},
        {"beside": (replace(extra(DEV, "member"), engagement="other"),)},
        {"beside": (extra("vault:group:no-such", "member"),)},
    ],
)
def test_an_extra_gives_nothing_to_whom_the_role_could_give_nothing(changed: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"phase": Phase.DISCOVERY, "beside": (extra(DEV, "member"),)}

    assert [str(grant.resource) for grant in beside(register(**plain))] == [DEV]
    assert beside(register(**{**plain, **changed})) == []


def test_the_longer_of_two_extras_counts_and_a_request_isnt_mixed_with_a_broken_glass() -> None:
    short, long = extra(DEV, "member", hours=3.5), extra(DEV, "member", hours=8, entry=42)
    broken = extra(DEV, "member", hours=4, entry=43, kind=ExtraKind.BREAK_GLASS)

    found = beside(register(Phase.DISCOVERY, beside=(short, long, broken)))

    ends = [(grant.extra, grant.limit.when) for grant in found]
    assert ends == [("break-glass", "2026-06-01 13:00 UTC"), ("request", "2026-06-01 17:00 UTC")]
