"""Engagements for people who were found at work: manifests with ids only, and with what nobody told to be corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from onboard.adopt.proposing import Proposed
from onboard.adopt.survey import Survey
from onboard.adopt.writing import scalar
from onboard.errors import BadInput
from onboard.ledger import Register
from onboard.model import AccountKind, Engagement, EngagementModel

#: For how long a proposed contract runs: soon over, so that somebody names its real end.
RUNS = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Leads:
    """Who answers for an engagement, as ids."""

    sponsor: str
    product_owner: str
    company_lead: str
    vendor_lead: str


def manifests(
    survey: Survey, proposed: Proposed, register: Register, sponsor: str | None, today: date
) -> dict[str, str]:
    """A manifest for each vendor some of whose people have a role, by file name.

    A vendor is the domain of an e-mail address that isn't the company's; without knowing which that is, there is none.
    Who answers is whom engagements on record with that vendor name, else the sponsor that is given; without either
    there is no manifest. Raises BadInput for a sponsor who is one of those people.
    """
    found: dict[str, str] = {}
    for domain, people in survey.vendors.items() if survey.own else ():
        roles = {person: role.name for person in people if (role := proposed.role_of(person))}
        vendor = vendor_of(domain)
        leads = _leads(register, vendor, sponsor, people)
        if not roles or leads is None:
            continue
        if leads.sponsor in people:
            raise BadInput.one(f"{leads.sponsor} is of {domain} too, and can't answer for it. Name another --sponsor.")
        name = _free(f"{vendor}-imported", register.engagements)
        found[f"{name}.yaml"] = _manifest(name, vendor, domain, roles, leads, survey, register, today)
    return found


def vendor_of(domain: str) -> str:
    """The vendor's id that a domain suggests: nordwind for nordwind.example."""
    label = domain.partition(".")[0]
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in label).strip("-")[:50] or "vendor"


def _free(name: str, taken: Iterable[str]) -> str:
    numbers = (f"{name}-{number}" for number in range(2, 10_000))
    return next(each for each in (name, *numbers) if each not in set(taken))


def _leads(register: Register, vendor: str, sponsor: str | None, people: Iterable[str]) -> Leads | None:
    known: list[Engagement] = [e for e in register.engagements.values() if e.vendor == vendor]
    if known:
        last = known[-1]
        return Leads(last.sponsor, last.product_owner, last.company_lead, last.vendor_lead)
    return Leads(sponsor, sponsor, sponsor, min(people)) if sponsor else None


def _manifest(
    name: str,
    vendor: str,
    domain: str,
    roles: Mapping[str, str],
    leads: Leads,
    survey: Survey,
    register: Register,
    today: date,
) -> str:
    contract = register.vendors.get(vendor)
    starts = max(today, contract.contract_starts) if contract else today
    ends = min(starts + RUNS, contract.contract_ends) if contract else starts + RUNS
    lines = [
        f"# Proposed: the people of {domain}, found at work on {today}. Correct what nobody could tell: model,",
        "# dates (90 days, so that the real end gets named), and who answers for it.",
    ]
    if contract is None:
        lines += ["vendor:", f"  id: {vendor}", f"  name: {scalar(vendor.title())}"]
        lines += [f"  contract: {{starts: {starts}, ends: {ends}}}", ""]
    lines += ["engagement:", f"  id: {name}", f"  name: {scalar(f'{vendor.title()} as found')}", f"  vendor: {vendor}"]
    lines += [f"  model: {_model(roles, survey)}", "  classification: confidential"]
    lines += [f"  starts: {starts}", f"  ends: {ends}"]
    lines += [f"  {lead}: {person}" for lead, person in asdict(leads).items()]
    if kinds := _kinds(roles, survey):
        lines += ["  account_kinds:", *(f"    {system}: {kind}" for system, kind in kinds)]
    lines += ["  people:", *(f"    - {{person: {person}, role: {role}}}" for person, role in sorted(roles.items())), ""]
    return "\n".join(lines)


def _model(people: Iterable[str], survey: Survey) -> EngagementModel:
    """Members of an organisation or team work as staff does; who is in none, on a project."""
    rights = (right for person in people for right in survey.held[person])
    member = any(right.resource.type in ("org", "team") for right in rights)
    return EngagementModel.STAFF_AUGMENTATION if member else EngagementModel.PROJECT_BASED


def _kinds(people: Iterable[str], survey: Survey) -> list[tuple[str, AccountKind]]:
    """The kind of account that all of them have on a system, where that is no full member."""
    found: dict[str, set[AccountKind]] = {}
    wanted = set(people)
    for (person, system), kind in survey.account_kinds.items():
        if person in wanted:
            found.setdefault(system, set()).add(kind)
    return [(system, kind) for system, kinds in sorted(found.items()) for kind in kinds if kinds == {kind} != _MEMBERS]


_MEMBERS = {AccountKind.MEMBER}
