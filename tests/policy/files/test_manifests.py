"""Manifests are strict, complete in their complaints, and free of personal data."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date
from pathlib import Path

import pytest

from onboard.errors import BadInput
from onboard.ledger import spelling
from onboard.model import AccountKind, EngagementModel
from onboard.policy.files.manifests import Manifests, load_manifests
from onboard.rota import Shift
from tests.policy.small import ADA, LENA, MARTA, PIET, VIKTOR, policy, vendor

NORDWIND = """\
vendor:
  id: nordwind
  name: Nordwind
  contract: {starts: 2026-01-01, ends: 2027-03-31}
"""

PAYMENTS = f"""\
engagement:
  id: payments
  name: Payments
  vendor: nordwind
  model: staff-augmentation
  classification: confidential
  starts: 2026-02-01
  ends: 2027-03-31
  sponsor: {ADA}
  product_owner: {PIET}
  vendor_lead: {VIKTOR}
  company_lead: {LENA}
  people:
    - {{person: {MARTA}, role: engineer, ends: 2026-12-31}}
"""

EVERYBODY = (MARTA, ADA, PIET, LENA, VIKTOR)
POLICY = policy()


def loaded(folder: Path, *texts: str, people: Collection[str] | None = EVERYBODY) -> Manifests:
    engagements = folder / "engagements"
    engagements.mkdir(exist_ok=True)
    paths = []
    for number, text in enumerate(texts):
        paths.append(engagements / f"{number}.yaml")
        paths[-1].write_text(text)
    return load_manifests(paths, POLICY, {}, people)


def complaints(folder: Path, *texts: str, people: Collection[str] | None = EVERYBODY) -> list[str]:
    with pytest.raises(BadInput) as caught:
        loaded(folder, *texts, people=people)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("model:", "modell: x\n  model:", 5, "the engagement has no setting 'modell'. Did you mean model?"),
        ("role: engineer", "role: enginer", 14, "'enginer' is no role of the policies. Did you mean engineer?"),
        ("vendor: nordwind", "vendor: nordwnd", 4, "'nordwnd' is no vendor on record. Did you mean nordwind?"),
        ("ends: 2027-03-31", "ends: 2027-06-30", 8, "engagement ends 2027-06-30, after the contract (2027-03-31)."),
        (
            "starts: 2026-02-01",
            "starts: 2025-02-01",
            7,
            "engagement starts 2025-02-01, before the contract (2026-01-01)",
        ),
        ("starts: 2026-02-01", "starts: 2026-02-30", 7, "'starts' is 2026-02-30, which is no day"),
        ("ends: 2027-03-31", "ends: 2026-01-15", 8, "engagement ends 2026-01-15, before it starts (2026-02-01)"),
        ("ends: 2026-12-31", "ends: 2027-12-31", 14, "assignment ends 2027-12-31, after the engagement (2027-03-31)"),
        ("ends: 2026-12-31", "starts: 2026-01-31", 14, "assignment starts 2026-01-31, before the engagement"),
        (
            "ends: 2026-12-31",
            "starts: 2026-05-02, ends: 2026-05-01",
            14,
            "assignment ends 2026-05-01, before it starts",
        ),
        (MARTA, MARTA[:10], 14, "write the person's full id, p- and 32 hex digits: no name, no prefix"),
        (MARTA, "p-" + "f" * 32, 14, "is nobody on record. Enter them with onboard person add"),
        (ADA, MARTA, 9, "sponsor is staffed in line 14; name somebody of the company instead"),
        (PIET, MARTA, 10, "product_owner is staffed in line 14"),
        (LENA, VIKTOR, 12, "company_lead is the vendor lead too"),
        ("staff-augmentation", "bodyleasing", 5, "it can be staff-augmentation, project-based, dedicated-team"),
        ("confidential", "confidental", 6, "Did you mean confidential?"),
        ("name: Payments", "name: marta@nordwind.example", 3, "people are entered with onboard person add"),
        ("name: Payments", "name: Payments # ask marta@nordwind.example", 3, "an @ looks like personal data"),
        (
            "  people:",
            "  account_kinds: {slac: guest}\n  people:",
            13,
            "slac is no configured system. Did you mean slack?",
        ),
        (
            "  people:",
            "  account_kinds: {vault: guest}\n  people:",
            13,
            "vault knows no guest accounts; it has member.",
        ),
    ],
)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, expected: str) -> None:
    assert old in PAYMENTS
    found = complaints(tmp_path, PAYMENTS.replace(old, new, 1), NORDWIND)

    assert any(each.startswith(f"engagements/0.yaml:{line}  ") and expected in each for each in found), found


def test_every_mistake_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    found = complaints(
        tmp_path,
        NORDWIND.replace("2027-03-31", "2025-03-31"),
        PAYMENTS.replace("role: engineer", "role: pilot").replace(ADA, "Ada Berg"),
        PAYMENTS.replace("id: payments", "id: Payments"),
        "people: []\n",
    )

    assert {each.split("  ")[0] for each in found} >= {
        "engagements/0.yaml:4",
        "engagements/1.yaml:9",
        "engagements/1.yaml:14",
        "engagements/2.yaml:2",
        "engagements/3.yaml:1",
    }


def test_a_role_that_the_account_kind_cannot_hold_is_named_with_both_lines(tmp_path: Path) -> None:
    outside = PAYMENTS.replace("  people:", "  account_kinds:\n    github: outside-collaborator\n  people:")

    assert complaints(tmp_path, NORDWIND, outside) == [
        f"engagements/1.yaml:14  accounts on github are of kind outside-collaborator, but engineer needs {resource}"
        f" (roles/engineer.yaml:{line}), which admits member. Change the kind, the role, or what the resource admits."
        for resource, line in (("github:org:acme", 7), ("github:repo:acme/api", 16), ("github:repo:acme/api", 8))
    ]


def test_a_person_staffed_twice_and_an_engagement_stated_twice_are_duplicates(tmp_path: Path) -> None:
    twice = PAYMENTS + f"    - {{person: {MARTA}, role: engineer}}\n"

    found = complaints(tmp_path, twice, PAYMENTS, NORDWIND)

    assert found == [
        f"engagements/0.yaml:15  {MARTA} is staffed in line 14 already. Delete one.",
        "engagements/1.yaml:1  engagement payments stands in engagements/0.yaml:1 already. Delete one of the two.",
    ]


def test_a_file_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_manifests([tmp_path / "none.yaml"], POLICY, {})

    assert "can't be read: No such file" in str(caught.value)


def test_a_vendor_on_record_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "payments.yaml"
    path.write_text(PAYMENTS.replace("ends: 2027-03-31", "ends: 2026-12-31"))

    (found,) = load_manifests([path], POLICY, {"nordwind": vendor()}).engagements

    assert found.ends == date(2026, 12, 31)


def test_manifests_become_values(tmp_path: Path) -> None:
    guests = PAYMENTS.replace("  people:", "  account_kinds: {slack: guest}\n  people:")

    manifests = loaded(tmp_path, NORDWIND, guests)

    (contract,), (work,) = manifests.vendors, manifests.engagements
    assert (contract.contract_starts, contract.contract_ends) == (date(2026, 1, 1), date(2027, 3, 31))
    assert (work.sponsor, work.vendor_lead, work.model) == (ADA, VIKTOR, EngagementModel.STAFF_AUGMENTATION)
    assert work.account_kinds == {"slack": AccountKind.GUEST}
    (line,) = work.staffing
    assert (line.person, line.role, line.ends, str(line.source)) == (
        MARTA,
        "engineer",
        date(2026, 12, 31),
        "engagements/1.yaml:15",
    )
    assert str(work.source) == "engagements/1.yaml:1"


WHERE_AND_WHEN = (
    PAYMENTS.replace("  people:", "  locations: [DE, PL]\n  people:").replace(
        "role: engineer,", "role: engineer, location: PL,"
    )
    + f"""\
  rota:
    - {{person: {MARTA}, from: 2026-06-01, until: 2026-06-07}}
"""
)
AGREED = NORDWIND + "  data_processing_agreement: 2026-12-31\n"


def test_an_agreement_locations_and_shifts_are_read(tmp_path: Path) -> None:
    found = loaded(tmp_path, AGREED, WHERE_AND_WHEN)

    (nordwind,), (work,) = found.vendors, found.engagements
    assert nordwind.data_processing_agreement == date(2026, 12, 31)
    assert (work.locations, work.staffing[0].location) == (("DE", "PL"), "PL")
    assert work.rota == (Shift(MARTA, date(2026, 6, 1), date(2026, 6, 7)),)
    assert spelling.engagement_of(spelling.engagement_json(work)) == work
    assert spelling.vendor_of(spelling.vendor_json(nordwind)) == nordwind


def test_what_an_older_ledger_holds_reads_as_without_them(tmp_path: Path) -> None:
    (work,) = loaded(tmp_path, NORDWIND, PAYMENTS).engagements
    old = json.loads(json.dumps(spelling.engagement_json(work)))
    del old["locations"], old["rota"], old["staffing"][0]["location"]

    assert spelling.engagement_of(old) == work


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("[DE, PL]", "[Germany]", 13, "'Germany' is no country; write its two letters by ISO 3166, like PL."),
        ("[DE, PL]", "[]", 13, "locations names no country, so nobody could work."),
        ("location: PL", "location: pl", 15, "'pl' is no country"),
        (f"{{person: {MARTA}, from", f"{{person: {ADA}, from", 17, "isn't among this engagement's people. Add them"),
        ("until: 2026-06-07", "until: 2026-05-07", 17, "ends 2026-05-07, before it begins (2026-06-01)"),
        ("until: 2026-06-07", "until: 2027-06-07", 17, "isn't within the engagement. Correct its days."),
        ("from: 2026-06-01", "form: 2026-06-01", 17, "has no setting 'form'. Did you mean from?"),
    ],
)
def test_a_location_or_shift_that_cannot_be_is_named(
    tmp_path: Path, old: str, new: str, line: int, expected: str
) -> None:
    found = complaints(tmp_path, AGREED, WHERE_AND_WHEN.replace(old, new, 1))

    assert any(each.startswith(f"engagements/1.yaml:{line}  ") and expected in each for each in found), found
