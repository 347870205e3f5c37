"""Engagements loaded from manifests, checked against the contract, the policies and the people on record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from onboard.sandbox.client import SandboxClient
from tests.cli.conftest import Onboard, person

VENDOR = """\
vendor:
  id: nordwind
  name: Nordwind
  contract: {starts: 2026-01-01, ends: 2027-03-31}
"""


@dataclass(frozen=True)
class Manifests:
    vendor: Path
    engagement: Path

    def edit(self, old: str, new: str) -> None:
        text = self.engagement.read_text(encoding="utf-8")
        assert old in text
        self.engagement.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def manifests(onboard: Onboard, begun: Path) -> Manifests:
    """A vendor and an engagement that fit together, with everybody entered."""
    marta, ada, piet, lena, viktor = (
        person(onboard, name) for name in ("Marta Kowalska", "Ada Berg", "Piet Bakker", "Lena Vogt", "Viktor Nord")
    )
    folder = begun / "engagements"
    folder.mkdir()
    vendor, engagement = folder / "nordwind.yaml", folder / "payments.yaml"
    vendor.write_text(VENDOR, encoding="utf-8")
    engagement.write_text(
        f"""\
engagement:
  id: payments
  name: Payments
  vendor: nordwind
  model: staff-augmentation
  classification: confidential
  starts: 2026-02-01
  ends: 2027-03-31
  sponsor: {ada}
  product_owner: {piet}
  company_lead: {lena}
  vendor_lead: {viktor}
  people:
    - {{person: {marta}, role: backend-engineer}}
""",
        encoding="utf-8",
    )
    return Manifests(vendor, engagement)


def entries(onboard: Onboard) -> int:
    return int(json.loads(onboard("ledger", "verify", "--json").stdout)["count"])


def test_nothing_is_loaded_where_one_manifest_is_wrong(onboard: Onboard, manifests: Manifests) -> None:
    manifests.edit("ends: 2027-03-31", "ends: 2027-06-30")
    manifests.edit("backend-engineer", "backend-enginer")
    before = entries(onboard)

    result = onboard("engagement", "load", manifests.vendor, manifests.engagement)

    assert result.exit_code == 2
    assert "engagements/payments.yaml:8  engagement ends 2027-06-30, after the contract (2027-03-31)." in result.stderr
    assert "Did you mean backend-engineer?" in result.stderr
    assert "2 problems in 1 file; nothing was changed." in result.stderr
    assert entries(onboard) == before


def test_an_engagement_of_a_vendor_that_was_never_loaded_is_refused(onboard: Onboard, manifests: Manifests) -> None:
    result = onboard("engagement", "load", manifests.engagement)

    assert result.exit_code == 2
    assert "'nordwind' is no vendor on record" in result.stderr


def test_an_unknown_engagement_names_those_that_are_known(onboard: Onboard, manifests: Manifests) -> None:
    onboard("engagement", "load", manifests.vendor, manifests.engagement)

    result = onboard("engagement", "show", "paiments")

    assert result.exit_code == 2
    assert "No engagement 'paiments' is on record. Known: payments" in result.stderr


def test_loading_the_same_manifests_again_changes_nothing(onboard: Onboard, manifests: Manifests) -> None:
    first = onboard("engagement", "load", manifests.vendor, manifests.engagement)
    loaded = entries(onboard)

    again = onboard("engagement", "load", manifests.vendor, manifests.engagement)

    assert first.stdout.startswith("2 manifests loaded.")
    assert first.stdout.endswith("Next: onboard start --engagement payments\n")
    assert again.stdout.startswith("Nothing changed: 2 manifests as on record.")
    assert entries(onboard) == loaded


def test_an_engagement_is_shown_with_the_names_of_its_people(onboard: Onboard, manifests: Manifests) -> None:
    onboard("engagement", "load", manifests.vendor, manifests.engagement)

    shown = onboard("engagement", "show", "payments").stdout
    as_json = json.loads(onboard("engagement", "show", "payments", "--json").stdout)
    listed = onboard("engagement", "list").stdout

    assert "Nordwind, contract 2026-01-01 – 2027-03-31" in shown
    assert [line.split()[:3] for line in shown.splitlines() if "Ada" in line] == [["sponsor", "Ada", "Berg"]]
    assert "backend-engineer  Marta Kowalska  not started" in shown
    assert as_json["engagement"]["ends"] == "2027-03-31"
    assert as_json["vendor"]["id"] == "nordwind"
    assert "payments    nordwind  2026-02-01 – 2027-03-31  1 person" in listed


def test_who_is_assigned_is_listed_with_role_and_phase(onboard: Onboard, manifests: Manifests) -> None:
    onboard("engagement", "load", manifests.vendor, manifests.engagement)

    listed = onboard("person", "list").stdout

    assert "backend-engineer in payments (not started)" in listed


def test_a_manifest_that_changes_for_somebody_who_has_started_is_reconciled_at_once(
    onboard: Onboard, manifests: Manifests, sandbox: SandboxClient
) -> None:
    onboard("person", "set", "marta", "--github=marta-nw")
    onboard("engagement", "load", manifests.vendor, manifests.engagement)
    assert onboard("record", "marta", "nda_signed", env=sandbox.env).exit_code in (0, 6)
    started = onboard("start", "marta", env=sandbox.env)
    assert started.exit_code == 6, started.output
    manifests.edit("ends: 2027-03-31", "ends: 2027-02-28")

    changed = onboard("engagement", "load", manifests.engagement, env=sandbox.env)

    assert changed.exit_code == 6, changed.output
    assert changed.stdout.startswith("1 manifest loaded.")
    assert "until 2027-02-28 (engagement)" in changed.stdout
    assert sandbox.writes() == []
