"""Who used what they hold, as far as systems tell: who wrote to a repository. Unknown is never unused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from onboard.connectors.usage import UsageReader
from onboard.engine.parallel import each
from onboard.errors import SystemFailed
from onboard.ledger import Register
from onboard.model import Grant, Kind, Resource
from onboard.wiring import Services

#: The level that lets somebody write to a repository.
WRITING = "push"

#: Who wrote to a resource and when last, by external id; or why that can't be told.
Evidence = Mapping[str, datetime] | str


def tells(services: Services, grant: Grant) -> bool:
    """Whether a system keeps a trace of the use of a grant."""
    reader = services.readers.get(grant.resource.system)
    told = reader is not None and reader.kind is Kind.GITHUB and grant.resource.type == "repo"
    return told and grant.level == WRITING


def evidence(services: Services, grants: Iterable[Grant], since: datetime) -> dict[Resource, Evidence]:
    """What is told of these grants' resources, of those of which something is: one question each."""
    asked = sorted({grant.resource for grant in grants if tells(services, grant)})
    return dict(zip(asked, each(lambda resource: _evidence(services, resource, since), asked), strict=True))


def _evidence(services: Services, resource: Resource, since: datetime) -> Evidence:
    reader = services.readers[resource.system]
    if not isinstance(reader, UsageReader):
        return "that system isn't reachable"
    try:
        return reader.last_writes(resource, since)
    except SystemFailed as failure:
        return failure.reason


def last_use(services: Services, register: Register, grant: Grant, told: Mapping[str, datetime]) -> datetime | None:
    """When the person used a grant last; None where they didn't."""
    binding = register.bindings(grant.person).get(grant.resource.system)
    return told.get(services.ledger.people.account(binding.account).external_id or "") if binding else None


def long_held(register: Register, grant: Grant, since: datetime) -> bool:
    """Whether the ledger knows that somebody has had it all that time."""
    given = register.last_attempt(grant.person, grant.resource)
    return given is not None and given.at <= since
