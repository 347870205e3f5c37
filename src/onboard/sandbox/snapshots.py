"""Where the sandbox stood at one moment, to return to it: quicker than a reset, and to any moment, not only the start.

Of OpenBao identities come back (entities, their aliases, groups), and tokens made since are revoked. What has ended
there for good, such as a revoked token or a deleted entity, can't come back; policies, secrets and logins are left as
they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from onboard.errors import SystemFailed
from onboard.sandbox.core import VAULT, Simulator
from onboard.sandbox.openbao.server import OpenBao

#: What of an entity and of a group can be written, and so be put back.
_ENTITY = ("name", "metadata", "policies", "disabled")
_GROUP = ("name", "metadata", "policies", "member_entity_ids", "member_group_ids")
#: What an alias is known by.
_ALIAS = ("name", "mount_accessor")
_EMPTY: Mapping[str, Any] = MappingProxyType(
    {"metadata": {}, "policies": [], "member_entity_ids": [], "member_group_ids": []}
)


@dataclass(frozen=True, slots=True)
class Identities:
    """OpenBao's entities and groups by id, as it answers them, and the accessors of its tokens."""

    entities: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, Mapping[str, Any]]
    accessors: frozenset[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What every simulator knew, how far the clock was ahead, the mail caught, and OpenBao's identities."""

    systems: Mapping[str, Mapping[str, Any]]
    ahead: timedelta
    mail: tuple[dict[str, Any], ...]
    identities: Identities


async def taken(
    simulators: Mapping[str, Simulator], ahead: timedelta, mail: tuple[dict[str, Any], ...], bao: OpenBao
) -> Snapshot:
    """How everything stands now. Raises SystemFailed where OpenBao doesn't answer."""
    systems = {name: simulator.state() for name, simulator in simulators.items()}
    return Snapshot(systems, ahead, mail, await _identities(bao))


async def put_back(snapshot: Snapshot, simulators: Mapping[str, Simulator], bao: OpenBao) -> None:
    """Let simulators and OpenBao stand as they did then; clock and mail are the caller's.

    Raises SystemFailed where an identity that was there is gone for good, or OpenBao doesn't answer.
    """
    then, now = snapshot.identities, await _identities(bao)
    if gone := [*(then.entities.keys() - now.entities.keys()), *(then.groups.keys() - now.groups.keys())]:
        raise SystemFailed(VAULT, f"{len(gone)} identities of that moment were deleted for good; reset the sandbox")
    await _all(_undone(bao, then, now))
    await _all(_rewritten(bao, then, now))
    for name, simulator in simulators.items():
        simulator.restore(snapshot.systems[name])


def _undone(bao: OpenBao, then: Identities, now: Identities) -> Iterator[Awaitable[Any]]:
    """Deletes what has been made since."""
    for kind, before, after in (("group", then.groups, now.groups), ("entity", then.entities, now.entities)):
        yield from (bao.call("DELETE", f"identity/{kind}/id/{id_}") for id_ in after.keys() - before.keys())
    for id_, entity in then.entities.items():
        known = [_part(alias, _ALIAS) for alias in entity["aliases"] or ()]
        for alias in now.entities[id_]["aliases"] or ():
            if _part(alias, _ALIAS) not in known:
                yield bao.call("DELETE", f"identity/entity-alias/id/{alias['id']}")
    for accessor in now.accessors - then.accessors:
        yield bao.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})


def _rewritten(bao: OpenBao, then: Identities, now: Identities) -> Iterator[Awaitable[Any]]:
    """Writes what has been changed since as it was."""
    for id_, entity in then.entities.items():
        if (was := _part(entity, _ENTITY)) != _part(now.entities[id_], _ENTITY):
            yield bao.call("POST", f"identity/entity/id/{id_}", was)
        known = [_part(alias, _ALIAS) for alias in now.entities[id_]["aliases"] or ()]
        for alias in entity["aliases"] or ():
            if _part(alias, _ALIAS) not in known:
                yield bao.call("POST", "identity/entity-alias", {**_part(alias, _ALIAS), "canonical_id": id_})
    for id_, group in then.groups.items():
        if (was := _part(group, _GROUP)) != _part(now.groups[id_], _GROUP):
            yield bao.call("POST", f"identity/group/id/{id_}", was)


async def _identities(bao: OpenBao) -> Identities:
    entities, groups, accessors = await asyncio.gather(
        _each(bao, "identity/entity/id"), _each(bao, "identity/group/id"), _keys(bao, "auth/token/accessors")
    )
    return Identities(entities, groups, frozenset(accessors))


async def _each(bao: OpenBao, path: str) -> dict[str, Mapping[str, Any]]:
    """What stands under every key of a path; what is deleted meanwhile isn't there."""
    ids = await _keys(bao, path)
    answers = await asyncio.gather(*(bao.call("GET", f"{path}/{id_}") for id_ in ids))
    return {id_: answer["data"] for id_, answer in zip(ids, answers, strict=True) if answer}


async def _keys(bao: OpenBao, path: str) -> list[str]:
    """What LIST answers; an empty list is 404 there."""
    answer = await bao.call("LIST", path)
    return list(answer["data"]["keys"]) if answer else []


def _part(whole: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The named fields, ready to be written: OpenBao answers null for what is empty, and takes it for another thing."""
    return {name: whole[name] or _EMPTY.get(name, whole[name]) for name in names}


async def _all(calls: Iterable[Awaitable[Any]]) -> None:
    await asyncio.gather(*calls)
