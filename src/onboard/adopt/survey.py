"""What there is before onboard: read from the systems, sorted into what roles could give and what they could not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from onboard.adopt.terms import Leftover, Right
from onboard.connectors.base import Scope
from onboard.engine.parallel import each
from onboard.ledger import Register
from onboard.levels import SCALES, Scale
from onboard.lifecycle.standing import protected_by, register_of
from onboard.model import AccountKind, Holding, HoldingState, Kind, Observation, Reading, Resource
from onboard.policy.files.checks import nameable
from onboard.wiring import Services

#: Levels that let somebody decide about others' access: no role gives them.
_ADMINISTRATION = frozenset({"admin", "maintain", "maintainer", "owner"})
_WRITING = frozenset({"push", "maintain", "admin"})


class Stranger(NamedTuple):
    """An account that is bound to nobody on record. The handle is for people to read, and goes into no file."""

    system: str
    handle: str
    rights: int


@dataclass
class Survey:
    """Who holds what, by person, of the outsourced people on record who work in no engagement yet.

    `administration` are rights of theirs that let them decide about others' access, `leftovers` those that no role can
    give. `existing` is every resource that could be granted, `writing` the teams that may write somewhere; `kinds` and
    `levels` say by resource which kinds of account hold it, and at which levels. `besides` counts what is no such
    resource (deploy keys, tokens…), `kept_out` the accounts that are never changed. `vendors` are the people by the
    domain of their e-mail address, `company` (at `own`, the
    company's domains) and `staffed` those who are left alone.
    """

    held: dict[str, frozenset[Right]] = field(default_factory=dict)
    administration: list[tuple[str, Right]] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)
    existing: set[Resource] = field(default_factory=set)
    unnameable: set[Resource] = field(default_factory=set)
    writing: set[Resource] = field(default_factory=set)
    kinds: dict[Resource, set[AccountKind]] = field(default_factory=lambda: defaultdict(set))
    levels: dict[Resource, set[str]] = field(default_factory=lambda: defaultdict(set))
    account_kinds: dict[tuple[str, str], AccountKind] = field(default_factory=dict)
    besides: Counter[tuple[str, str]] = field(default_factory=Counter)
    strangers: list[Stranger] = field(default_factory=list)
    kept_out: int = 0
    vendors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    company: int = 0
    staffed: int = 0
    unknown: list[tuple[str, str]] = field(default_factory=list)


def survey(services: Services, systems: Collection[str], own: Collection[str]) -> Survey:
    """Read these systems whole and sort what people hold. `own` are the company's own e-mail domains, as far as given.

    Changes nothing, there or here: an account in Vault that isn't bound yet counts by its login name.
    """
    register = register_of(services)
    observed = each(lambda system: services.readers[system].read(Scope(None)), sorted(systems))
    whose = _accounts(services, register, observed)
    ours = frozenset(map(str.casefold, own)) or _own_domains(services, register, observed, whose)
    found = Survey(unknown=list(_unread(observed)), own=ours)
    outsourced = _outsourced(services, register, found)
    for observation in observed:
        _Sorting(services, observation, whose, outsourced, found).sort()
    for person in outsourced:
        found.held.setdefault(person, frozenset())
    return found


def _accounts(services: Services, register: Register, observed: Iterable[Observation]) -> dict[tuple[str, str], str]:
    """Whose each account is, by system and immutable id."""
    people, profiles = services.ledger.people, services.ledger.people.all()
    known: dict[tuple[str, str], str] = {}
    for person in register.people:
        theirs = [people.account(binding.account) for binding in register.accounts(person)]
        known |= {(account.system, account.external_id): person for account in theirs if account.external_id}
    logins = {
        (system, handle.casefold()): person
        for person, profile in profiles.items()
        for system, handle in profile.handles.items()
        if system in services.readers and services.readers[system].kind is Kind.VAULT
    }
    for observation in observed:
        for external, account in observation.accounts.items():
            person_there = logins.get((observation.system, account.handle.casefold()))
            if person_there is not None:
                known.setdefault((observation.system, external), person_there)
    return known


def _own_domains(
    services: Services,
    register: Register,
    observed: Iterable[Observation],
    whose: Mapping[tuple[str, str], str],
) -> frozenset[str]:
    """The company's e-mail domains, as far as that shows: of who answers for engagements or owns an organisation."""
    answering = {
        person for e in register.engagements.values() for person in (e.sponsor, e.product_owner, e.company_lead)
    }
    for observation in observed:
        owners = {h.account for r in observation.readings.values() for h in r.holdings if _owns(h)}
        answering |= {whose[observation.system, owner] for owner in owners if (observation.system, owner) in whose}
    return frozenset(_domain(services.ledger.people.get(p).email) for p in answering & register.people)


def _owns(holding: Holding) -> bool:
    return holding.resource.type == "org" and holding.level == "admin"


def _domain(email: str) -> str:
    return email.rpartition("@")[2].casefold()


def _outsourced(services: Services, register: Register, found: Survey) -> frozenset[str]:
    """Of the people on record those who come from elsewhere, work in no engagement yet, and haven't left."""
    domains: dict[str, list[str]] = defaultdict(list)
    for person, profile in sorted(services.ledger.people.all().items()):
        if person not in register.people or register.left(person) is not None:
            continue
        if _domain(profile.email) in found.own:
            found.company += 1
        elif any(not assignment.ended for assignment in register.assignments(person)):
            found.staffed += 1
        else:
            domains[_domain(profile.email)].append(person)
    found.vendors = {domain: tuple(people) for domain, people in sorted(domains.items())}
    return frozenset(person for people in domains.values() for person in people)


@dataclass
class _Sorting:
    """One system's observation, sorted into the survey."""

    services: Services
    observation: Observation
    whose: Mapping[tuple[str, str], str]
    outsourced: frozenset[str]
    found: Survey

    def sort(self) -> None:
        told = [reading for _, reading in sorted(self.observation.readings.items()) if reading.unknown is None]
        owners = {h.account for reading in told for h in reading.holdings if _owns(h)}
        shut = owners | {a for a, account in self.observation.accounts.items() if protected_by(self.services, account)}
        self.found.kept_out += len(shut)
        rights: dict[str, set[Right]] = defaultdict(set)
        strangers: Counter[tuple[str, str]] = Counter()
        for holding in (h for reading in told if self._grantable(reading) for h in reading.holdings):
            self._note(holding)
            if holding.account in shut or holding.via != "direct" or holding.state is HoldingState.EXPIRED:
                continue
            person = self.whose.get((self.observation.system, holding.account))
            if person is None:
                strangers[holding.account, holding.handle] += 1
            elif person in self.outsourced:
                self._sort_right(person, holding, rights[person])
        self.found.strangers += [
            Stranger(self.observation.system, handle, count) for (_, handle), count in sorted(strangers.items())
        ]
        for person, theirs in rights.items():
            self.found.held[person] = self.found.held.get(person, frozenset()) | _highest(theirs, self._scale)

    def _scale(self, resource: Resource) -> Scale | None:
        return SCALES.get((self.services.readers[resource.system].kind, resource.type))

    def _grantable(self, reading: Reading) -> bool:
        """Whether its resource is of a sort that policies can grant; it is counted either way."""
        resource, kind = reading.resource, self.services.readers[reading.resource.system].kind
        if self._scale(resource) is None:
            self.found.besides[resource.system, resource.type] += 1
            return False
        (self.found.existing if nameable(kind, resource) else self.found.unnameable).add(resource)
        return True

    def _note(self, holding: Holding) -> None:
        account = self.observation.accounts.get(holding.account)
        if holding.via == "direct":
            self.found.kinds[holding.resource].add(account.kind if account else AccountKind.MEMBER)
            self.found.levels[holding.resource].add(holding.level)
        elif holding.via.startswith("team ") and holding.level in _WRITING:
            owner = holding.resource.name.partition("/")[0]
            team = holding.via.removeprefix("team ")
            self.found.writing.add(Resource(holding.resource.system, "team", f"{owner}/{team}"))

    def _sort_right(self, person: str, holding: Holding, rights: set[Right]) -> None:
        right, scale = Right(holding.resource, holding.level), self._scale(holding.resource)
        account = self.observation.accounts.get(holding.account)
        self.found.account_kinds[person, self.observation.system] = account.kind if account else AccountKind.MEMBER
        if administers(right):
            self.found.administration.append((person, right))
        elif holding.resource in self.found.unnameable:
            self.found.leftovers.append(Leftover(person, right, "its name can't stand in a policy"))
        elif scale is not None and not scale.open and holding.level not in scale.levels:
            self.found.leftovers.append(Leftover(person, right, "a custom role, which onboard doesn't grant"))
        else:
            rights.add(right)


def administers(right: Right) -> bool:
    """Whether it lets somebody decide about others' access."""
    project = right.resource.type == "project" and "dmin" in right.level.casefold()
    return right.level.casefold() in _ADMINISTRATION or project


def _highest(rights: Iterable[Right], scale_of: Callable[[Resource], Scale | None]) -> frozenset[Right]:
    """Of what stands on one resource the highest; on an open scale each."""
    found: dict[tuple[Resource, str], Right] = {}
    for right in sorted(rights):
        scale = scale_of(right.resource)
        key = (right.resource, right.level if scale is None or scale.open else "")
        other = found.get(key)
        if other is None or (scale is not None and scale.rank(right.level) > scale.rank(other.level)):
            found[key] = right
    return frozenset(found.values())


def _unread(observed: Iterable[Observation]) -> Iterator[tuple[str, str]]:
    for observation in observed:
        if observation.unknown is not None:
            yield observation.system, observation.unknown
        for resource, reading in sorted(observation.readings.items()):
            if reading.unknown is not None:
                yield str(resource), reading.unknown
