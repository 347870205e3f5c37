"""Vendor and engagement manifests: files meant for git, strict, and without personal data.

    vendor: {id, name, contract: {starts, ends}, data_processing_agreement?: last day}
    engagement: {id, name, vendor, model, classification, starts, ends, sponsor, product_owner, vendor_lead,
                 company_lead, account_kinds?: {system: kind}, locations?: [country],
                 people: [{person, role, starts?, ends?, location?}], rota?: [{person, from, until}]}
    teams: {team: [person]}

People are ids, in full: a prefix that is unique today may come to mean two people tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

from onboard.model import (
    PERSON_ID,
    AccountKind,
    Classification,
    Engagement,
    EngagementModel,
    Kind,
    Source,
    Staffing,
    Vendor,
)
from onboard.policy.catalogue import Policy
from onboard.policy.files.strict import Block, Item, Notes, chosen, did_you_mean, read
from onboard.policy.files.teams import teams_in
from onboard.policy.terms import fits
from onboard.rota import Shift

_MANIFESTS = ("vendor", "engagement", "teams")
_VENDOR = ("id", "name", "contract", "data_processing_agreement")
_COMPANY = ("sponsor", "product_owner", "company_lead")
_LEADS = (*_COMPANY, "vendor_lead")
_DATES = ("starts", "ends")
_WORK = ("account_kinds", "locations", "people", "rota")
_ENGAGEMENT = ("id", "name", "vendor", "model", "classification", *_DATES, *_LEADS, *_WORK)
_COUNTRY = re.compile(r"[A-Z]{2}")

#: The kinds of account that each kind of system knows.
_ACCOUNT_KINDS: Mapping[Kind, frozenset[AccountKind]] = MappingProxyType(
    {
        Kind.GITHUB: frozenset({AccountKind.MEMBER, AccountKind.OUTSIDE_COLLABORATOR}),
        Kind.JIRA: frozenset({AccountKind.MEMBER}),
        Kind.SLACK: frozenset({AccountKind.MEMBER, AccountKind.GUEST, AccountKind.SINGLE_CHANNEL_GUEST}),
        Kind.VAULT: frozenset({AccountKind.MEMBER}),
    }
)


@dataclass(frozen=True, slots=True)
class Manifests:
    """What the manifests state, in the order of their files. Each source is the last folder and the file's name."""

    vendors: tuple[Vendor, ...]
    engagements: tuple[Engagement, ...]
    teams: Mapping[str, tuple[str, ...]] | None = None


def load_manifests(
    paths: Iterable[Path],
    policy: Policy,
    known_vendors: Mapping[str, Vendor],
    known_people: Collection[str] | None = None,
) -> Manifests:
    """The manifests in these files, checked against the policy, the vendors on record and (if given) the people.

    Raises BadInput with every problem of every file: `engagements/payments.yaml:7  engagement ends …`.
    """
    notes = Notes()
    blocks = [found for path in paths if (found := _open(path, notes)) is not None]
    vendors = _once((_vendor(block) for block in blocks if "vendor" in block), "vendor", notes)
    known = {**known_vendors, **{vendor.id: vendor for vendor in vendors}}
    reader = _Reader(policy, known, known_people, notes)
    engagements = _once((reader.engagement(block) for block in blocks if "engagement" in block), "engagement", notes)
    owners = {spec.owner for spec in policy.resources.values()}
    teams = teams_in([block for block in blocks if "teams" in block], owners, known_people, notes)
    notes.raise_all()
    return Manifests(vendors, engagements, teams)


def _open(path: Path, notes: Notes) -> Block | None:
    label = f"{path.absolute().parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        notes.add(Source(label, 0), f"this file can't be read: {reason}.")
        return None
    _refuse_personal_data(text, label, notes)
    file = read(text, label, "the manifest", notes)
    if file is not None and not file.only(*_MANIFESTS).nodes.keys() & {*_MANIFESTS}:
        notes.add(file.source, "this states no vendor:, engagement: or teams:. Add one, or leave the file out.")
    return file


def _refuse_personal_data(text: str, file: str, notes: Notes) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        if "@" in line:
            notes.add(
                Source(file, number),
                "an @ looks like personal data, which has no place in git, not even in a comment:"
                " people are entered with onboard person add, and stand here by their ids.",
            )


class _Dated(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def source(self) -> Source: ...


_T = TypeVar("_T", bound=_Dated)


def _once(found: Iterable[_T | None], what: str, notes: Notes) -> tuple[_T, ...]:
    """What could be read, after noting ids that stand twice."""
    first: dict[str, _T] = {}
    for one in found:
        if one is not None and first.setdefault(one.id, one) is not one:
            notes.add(one.source, f"{what} {one.id} stands in {first[one.id].source} already. Delete one of the two.")
    return tuple(first.values())


def _vendor(file: Block) -> Vendor | None:
    block = file.block("vendor", "the vendor").only(*_VENDOR)
    contract = block.block("contract", "the contract").only(*_DATES)
    id_, name = block.slug("id"), block.text("name")
    starts, ends = contract.day("starts"), contract.day("ends")
    agreement = block.day("data_processing_agreement", required=False)
    if starts is None or ends is None or not id_:
        return None
    _in_order(contract, "contract", starts, ends)
    return Vendor(id_, name, starts, ends, block.source, agreement)


def _in_order(block: Block, what: str, starts: date, ends: date) -> None:
    if ends < starts:
        block.note("ends", f"{what} ends {ends}, before it starts ({starts}). Correct one of the two.")


def _countries(block: Block) -> tuple[str, ...]:
    found = block.items("locations")
    if "locations" in block and not found:
        block.note("locations", "locations names no country, so nobody could work. Name one, or delete the setting.")
    for item in found:
        _country(item, block.notes)
    return tuple(item.text for item in found)


def _country(item: Item, notes: Notes) -> None:
    if not _COUNTRY.fullmatch(item.text):
        notes.add(item.source, f"{item.text!r} is no country; write its two letters by ISO 3166, like PL.")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads engagements against what is known."""

    policy: Policy
    vendors: Mapping[str, Vendor]
    people: Collection[str] | None
    notes: Notes

    def engagement(self, file: Block) -> Engagement | None:
        """The engagement in a file; None, with its problems noted, where something needed is missing."""
        block = file.block("engagement", "the engagement").only(*_ENGAGEMENT)
        id_, name, vendor = block.slug("id"), block.text("name"), block.slug("vendor")
        model, classification = block.choice("model", EngagementModel), block.choice("classification", Classification)
        starts, ends = block.day("starts"), block.day("ends")
        leads = {lead: self._person(block, lead) for lead in _LEADS}
        kinds, locations = self._account_kinds(block), _countries(block)
        lines = block.blocks("people", "a person's assignment", required=True)
        staffing = [self._staffing(line, starts, ends) for line in lines]
        found = tuple(one for one in staffing if one is not None)
        rota = self._rota(block, starts, ends, found)
        self._check(block, vendor, starts, ends, found, leads, kinds, model)
        if model is None or classification is None or starts is None or ends is None or not id_:
            return None
        return Engagement(
            id_, name, vendor, model, classification, starts, ends,
            staffing=found, source=block.source, account_kinds=MappingProxyType(kinds), locations=locations, rota=rota,
            **leads,
        )  # fmt: skip

    def _check(
        self,
        block: Block,
        vendor: str,
        starts: date | None,
        ends: date | None,
        staffing: Sequence[Staffing],
        leads: Mapping[str, str],
        kinds: Mapping[str, AccountKind],
        model: EngagementModel | None,
    ) -> None:
        self._within_contract(block, vendor, starts, ends)
        self._nobody_twice(staffing)
        self._nobody_judges_their_own(block, leads, staffing)
        self._roles_are_for_the_model(staffing, model)
        self._accounts_are_admitted(block, staffing, kinds, model)

    def _person(self, block: Block, key: str) -> str:
        """A person's full id; empty, noted, where it is none or nobody on record."""
        text = block.text(key)
        if not text:
            return ""
        if not PERSON_ID.fullmatch(text):
            block.note(key, f"{key} is {text!r}; write the person's full id, p- and 32 hex digits: no name, no prefix.")
            return ""
        if self.people is not None and text not in self.people:
            block.note(key, f"{key} {text} is nobody on record. Enter them with onboard person add, or correct the id.")
            return ""
        return text

    def _staffing(self, block: Block, begin: date | None, end: date | None) -> Staffing | None:
        block.only("person", "role", "location", *_DATES)
        person, role = self._person(block, "person"), block.slug("role")
        starts, ends = block.day("starts", required=False), block.day("ends", required=False)
        if role and role not in self.policy.roles:
            block.note("role", f"{role!r} is no role of the policies.{did_you_mean(role, self.policy.roles)}")
        if starts is not None and ends is not None:
            _in_order(block, "assignment", starts, ends)
        if starts is not None and begin is not None and starts < begin:
            block.note(
                "starts", f"assignment starts {starts}, before the engagement ({begin}). Correct one of the two."
            )
        if ends is not None and end is not None and ends > end:
            block.note("ends", f"assignment ends {ends}, after the engagement ({end}). Correct one of the two.")
        location = block.text("location", required=False)
        if location:
            _country(Item(location, block.at("location")), self.notes)
        return Staffing(person, role, block.source, starts, ends, location or None) if person and role else None

    def _rota(
        self, block: Block, begin: date | None, end: date | None, staffing: Sequence[Staffing]
    ) -> tuple[Shift, ...]:
        staffed = {line.person for line in staffing}
        lines = block.blocks("rota", "a shift, with the person, and its first and last day (from, until)")
        shifts = (self._shift(line, begin, end, staffed) for line in lines)
        return tuple(shift for shift in shifts if shift is not None)

    def _shift(self, block: Block, begin: date | None, end: date | None, staffed: Collection[str]) -> Shift | None:
        block.only("person", "from", "until")
        person, starts, ends = self._person(block, "person"), block.day("from"), block.day("until")
        if person and person not in staffed:
            block.note("person", f"{person} isn't among this engagement's people. Add them there, or delete the shift.")
        if starts is None or ends is None or not person:
            return None
        if ends < starts:
            block.note("until", f"this shift ends {ends}, before it begins ({starts}). Correct one of the two.")
        if (begin is not None and starts < begin) or (end is not None and ends > end):
            block.note("from", f"the shift from {starts} to {ends} isn't within the engagement. Correct its days.")
        return Shift(person, starts, ends)

    def _account_kinds(self, block: Block) -> dict[str, AccountKind]:
        kinds = block.block("account_kinds", "a system and its kind of account", required=False)
        found: dict[str, AccountKind] = {}
        for item in kinds:
            text = kinds.text(item.text)
            kind = chosen(Item(text, item.source), AccountKind, item.text, self.notes) if text else None
            system = self.policy.systems.get(item.text)
            if system is None:
                kinds.note(
                    item.text, f"{item.text} is no configured system.{did_you_mean(item.text, self.policy.systems)}"
                )
            elif kind is not None and kind not in _ACCOUNT_KINDS[system]:
                can = ", ".join(sorted(_ACCOUNT_KINDS[system]))
                kinds.note(item.text, f"{item.text} knows no {kind} accounts; it has {can}.")
            elif kind is not None:
                found[item.text] = kind
        return found

    def _within_contract(self, block: Block, vendor: str, starts: date | None, ends: date | None) -> None:
        if starts is not None and ends is not None:
            _in_order(block, "engagement", starts, ends)
        if not vendor:
            return
        contract = self.vendors.get(vendor)
        if contract is None:
            hint = did_you_mean(vendor, self.vendors) or " Load its manifest first, or with this one."
            block.note("vendor", f"{vendor!r} is no vendor on record.{hint}")
            return
        if starts is not None and starts < contract.contract_starts:
            block.note(
                "starts",
                f"engagement starts {starts}, before the contract ({contract.contract_starts})."
                " Start it later, or correct the contract first.",
            )
        if ends is not None and ends > contract.contract_ends:
            block.note(
                "ends",
                f"engagement ends {ends}, after the contract ({contract.contract_ends})."
                " Shorten it, or extend the contract first.",
            )

    def _nobody_twice(self, staffing: Sequence[Staffing]) -> None:
        first: dict[str, Staffing] = {}
        for line in staffing:
            other = first.setdefault(line.person, line)
            if other is not line:
                self.notes.add(
                    line.source, f"{line.person} is staffed in line {other.source.line} already. Delete one."
                )

    def _nobody_judges_their_own(self, block: Block, leads: Mapping[str, str], staffing: Sequence[Staffing]) -> None:
        """Nobody approves their own access, nor anyone of their own vendor."""
        staffed = {line.person: line.source.line for line in staffing}
        for lead in _COMPANY:
            person = leads[lead]
            if person in staffed:
                block.note(lead, f"{lead} is staffed in line {staffed[person]}; name somebody of the company instead.")
            elif person and person == leads["vendor_lead"]:
                block.note(lead, f"{lead} is the vendor lead too; name somebody of the company instead.")

    def _roles_are_for_the_model(self, staffing: Sequence[Staffing], model: EngagementModel | None) -> None:
        if model is None:
            return
        fit = [r.name for r in self.policy.roles.values() if any(fits(line, model) for line in r.entitlements)]
        for line in staffing:
            role = self.policy.roles.get(line.role)
            if role is not None and role.entitlements and role.name not in fit:
                self.notes.add(
                    line.source,
                    f"role {role.name} ({role.source}) carries nothing in {model} engagements."
                    f" Choose one that does ({', '.join(sorted(fit)) or 'there is none yet'}), or correct the model.",
                )

    def _accounts_are_admitted(
        self,
        block: Block,
        staffing: Sequence[Staffing],
        kinds: Mapping[str, AccountKind],
        model: EngagementModel | None,
    ) -> None:
        for name in sorted({line.role for line in staffing} & self.policy.roles.keys()):
            for line in (line for line in self.policy.roles[name].entitlements if model is None or fits(line, model)):
                system, spec = line.resource.system, self.policy.resources[line.resource]
                kind = kinds.get(system, AccountKind.MEMBER)
                if kind not in spec.admits:
                    admits = ", ".join(sorted(spec.admits))
                    self._not_admitted(block, system, f"{name} needs {line.resource} ({line.source})", kind, admits)

    def _not_admitted(self, block: Block, system: str, need: str, kind: AccountKind, admits: str) -> None:
        source = block.block("account_kinds", "kinds", required=False).at(system)
        self.notes.add(
            source,
            f"accounts on {system} are of kind {kind}, but {need}, which admits {admits}."
            " Change the kind, the role, or what the resource admits.",
        )
