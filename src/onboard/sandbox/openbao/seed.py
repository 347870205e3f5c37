"""What OpenBao holds at the start of a world: logins, groups, policies, secrets, and the automation's two tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

from onboard.sandbox.core import VAULT, Credentials, Held
from onboard.sandbox.openbao.server import OpenBao
from onboard.sandbox.world import World

MOUNT = "userpass"
WRITER = """\
path "identity/entity*"            { capabilities = ["create", "read", "update", "list"] }
path "identity/group*"             { capabilities = ["create", "read", "update", "list"] }
path "identity/lookup/*"           { capabilities = ["create", "update"] }
path "auth/userpass/users"         { capabilities = ["list"] }
path "auth/userpass/users/*"       { capabilities = ["read", "list"] }
path "auth/token/accessors"        { capabilities = ["list", "sudo"] }
path "auth/token/accessors/"       { capabilities = ["list", "sudo"] }
path "auth/token/lookup-accessor"  { capabilities = ["create", "update"] }
path "auth/token/revoke-accessor"  { capabilities = ["create", "update"] }
path "sys/leases/lookup/auth/userpass/*"              { capabilities = ["list", "sudo"] }
path "sys/leases/revoke-prefix/auth/userpass/login/*" { capabilities = ["create", "update", "sudo"] }
path "auth/+/role/"                { capabilities = ["list"] }
path "auth/+/role/+/role-id"       { capabilities = ["read"] }
path "auth/+/role/+/secret-id/"    { capabilities = ["list"] }
path "auth/+/role/+/secret-id-accessor/destroy" { capabilities = ["create", "update"] }
path "sys/policies/acl/outsourced-*" { capabilities = ["read"] }
path "sys/auth"                    { capabilities = ["read"] }
path "transit/sign/onboard-ledger" { capabilities = ["update"] }
path "secret/data/onboard-people/*"     { capabilities = ["create", "read", "update"] }
path "secret/metadata/onboard-people/*" { capabilities = ["read"] }
path "secret/destroy/onboard-people/*"  { capabilities = ["update"] }
"""
READER = """\
path "identity/entity*"            { capabilities = ["read", "list"] }
path "identity/group*"             { capabilities = ["read", "list"] }
path "identity/lookup/*"           { capabilities = ["create", "update"] }
path "auth/userpass/users"         { capabilities = ["list"] }
path "auth/userpass/users/*"       { capabilities = ["read", "list"] }
path "auth/token/accessors"        { capabilities = ["list", "sudo"] }
path "auth/token/accessors/"       { capabilities = ["list", "sudo"] }
path "auth/token/lookup-accessor"  { capabilities = ["create", "update"] }
path "sys/leases/lookup/"          { capabilities = ["list", "sudo"] }
path "sys/leases/lookup/*"         { capabilities = ["list", "sudo"] }
path "sys/policies/acl/*"          { capabilities = ["read"] }
path "sys/auth"                    { capabilities = ["read"] }
path "sys/mounts"                  { capabilities = ["read"] }
path "sys/mounts/+/tune"           { capabilities = ["read"] }
path "sys/mounts/auth/+/tune"      { capabilities = ["read"] }
path "sys/quotas/rate-limit"       { capabilities = ["list"] }
path "auth/+/role/"                { capabilities = ["list"] }
path "auth/+/role/+"               { capabilities = ["read"] }
path "auth/+/role/+/role-id"       { capabilities = ["read"] }
path "auth/+/role/+/secret-id/"    { capabilities = ["list"] }
path "transit/keys/onboard-ledger" { capabilities = ["read"] }
path "secret/data/onboard-people/*" { capabilities = ["read"] }
"""
OWN_POLICIES = {"onboard-writer": WRITER, "onboard-reader": READER}
KEPT_MOUNTS = {"auth": {"token/", f"{MOUNT}/"}, "mounts": {"sys/", "identity/", "cubbyhole/", "secret/", "transit/"}}


async def seed(bao: OpenBao, world: World, credentials: Credentials) -> None:
    """Make everything that the world names, on a server that has been wiped or is new."""
    await _mounts(bao)
    policies = {**world.vault.policies, **OWN_POLICIES}
    await _all(bao.call("PUT", f"sys/policies/acl/{name}", {"policy": hcl}) for name, hcl in policies.items())
    await _logins(bao, world, credentials)
    await _all(bao.call("POST", f"secret/data/{path}", {"data": data}) for path, data in world.vault.secrets.items())
    await _groups(bao, world)
    await tokens(bao, credentials)


def password(credentials: Credentials, person: str) -> str:
    """The password of that person's login."""
    return credentials.secret(f"{VAULT}/password/{person}")


async def tokens(bao: OpenBao, credentials: Credentials) -> None:
    """Make the writing and the reading token where they aren't valid, renewable for good, each with its one policy."""
    for label, policy in (("write", "onboard-writer"), ("read", "onboard-reader")):
        token = credentials.token(VAULT, label)
        answer = await bao.client.get("/v1/auth/token/lookup-self", headers={"X-Vault-Token": token})
        if answer.is_error:
            wish = {"id": token, "policies": [policy], "period": "8760h", "display_name": policy}
            await bao.call("POST", "auth/token/create-orphan", wish)
    credentials.register(VAULT, bao.root_token, "root")


async def wipe(bao: OpenBao, credentials: Credentials, *, keep_logins: bool) -> None:
    """Take away entities, groups, policies, secrets, foreign mounts, every token but ours, and logins if told to."""
    await _foreign_mounts(bao)
    groups, entities, users, names, paths, accessors = await asyncio.gather(
        _keys(bao, "identity/group/id"),
        _keys(bao, "identity/entity/id"),
        _keys(bao, f"auth/{MOUNT}/users"),
        _keys(bao, "sys/policies/acl"),
        _secrets(bao, ""),
        _foreign_accessors(bao, credentials),
    )
    await _all(bao.call("DELETE", f"identity/group/id/{id_}") for id_ in groups)
    await _all(bao.call("DELETE", f"identity/entity/id/{id_}") for id_ in entities)
    await _all(bao.call("DELETE", f"auth/{MOUNT}/users/{user}") for user in users if not keep_logins)
    kept = {"default", "root", *OWN_POLICIES}
    await _all(bao.call("DELETE", f"sys/policies/acl/{name}") for name in names if name not in kept)
    await _all(bao.call("DELETE", f"secret/metadata/{path}") for path in paths)
    await _all(bao.call("POST", "auth/token/revoke-accessor", {"accessor": accessor}) for accessor in accessors)


async def holdings(bao: OpenBao, world: World) -> list[Held]:
    """Who holds what, read from the server now: enabled logins that are known as entities, and group members."""
    entities = [
        found["data"] for id_ in await _keys(bao, "identity/entity/id") if (found := await _read(bao, "entity", id_))
    ]
    held = [
        line
        for entity in entities
        for alias in entity["aliases"]
        if alias["mount_path"] == f"auth/{MOUNT}/" and not entity["disabled"]
        for line in [_held(world, entity, f"login:{MOUNT}", "enabled")]
    ]
    by_id = {entity["id"]: entity for entity in entities}
    for id_ in await _keys(bao, "identity/group/id"):
        group = (await _read(bao, "group", id_) or {"data": {}})["data"]
        members = [by_id[member] for member in group.get("member_entity_ids") or [] if member in by_id]
        held += [_held(world, entity, f"group:{group['name']}", "member") for entity in members]
    return held


async def forget(bao: OpenBao, username: str) -> None:
    """Delete a login, as the company's single sign-on would; entity and groups stay, as they do in earnest."""
    await bao.call("DELETE", f"auth/{MOUNT}/users/{username}")


def _held(world: World, entity: dict[str, Any], resource: str, level: str) -> Held:
    usernames = [alias["name"] for alias in entity["aliases"]]
    person = next((id_ for id_, who in world.people.items() if who.vault and who.vault.username in usernames), None)
    return Held(VAULT, person, entity["id"], usernames[0] if usernames else entity["name"], resource, level)


async def _read(bao: OpenBao, kind: str, id_: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = await bao.call("GET", f"identity/{kind}/id/{id_}")
    return found


async def _mounts(bao: OpenBao) -> None:
    """The userpass logins, the key-value engine and the key that the ledger is signed with, where they aren't yet."""
    if f"{MOUNT}/" not in (await bao.call("GET", "sys/auth"))["data"]:
        await bao.call("POST", f"sys/auth/{MOUNT}", {"type": "userpass"})
    if "secret/" not in (await bao.call("GET", "sys/mounts"))["data"]:
        await bao.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        while (await bao.client.get("/v1/secret/config", headers={"X-Vault-Token": bao.root_token})).status_code == 400:
            await asyncio.sleep(0.01)  # it upgrades itself to version 2 first, and refuses writes until then
    if "transit/" not in (await bao.call("GET", "sys/mounts"))["data"]:
        await bao.call("POST", "sys/mounts/transit", {"type": "transit"})
    await bao.call("POST", "transit/keys/onboard-ledger", {"type": "ed25519"})


async def _foreign_mounts(bao: OpenBao) -> None:
    for kind, kept in KEPT_MOUNTS.items():
        paths = (await bao.call("GET", f"sys/{kind}"))["data"].keys() - kept
        await _all(bao.call("DELETE", f"sys/{kind}/{path.rstrip('/')}") for path in paths)


async def _logins(bao: OpenBao, world: World, credentials: Credentials) -> None:
    """A login for everybody who has none yet; each costs the server a slow hash."""
    there = await _keys(bao, f"auth/{MOUNT}/users")
    missing = {who.vault.username: id_ for id_, who in world.people.items() if who.vault}
    await _all(
        bao.call("POST", f"auth/{MOUNT}/users/{username}", {"password": password(credentials, person)})
        for username, person in missing.items()
        if username not in there
    )


async def _groups(bao: OpenBao, world: World) -> None:
    """The groups, with an entity and its alias for each member."""
    accessor = (await bao.call("GET", "sys/auth"))["data"][f"{MOUNT}/"]["accessor"]
    names = {name for group in world.vault.groups.values() for name in group.members}
    people = {name: who.vault.username for name in names if (who := world.people[name]).vault}
    ids = {name: await _entity(bao, username, accessor) for name, username in people.items()}
    for name, group in world.vault.groups.items():
        members = [ids[person] for person in group.members]
        body = {"policies": group.policies, "member_entity_ids": members, "type": "internal"}
        await bao.call("POST", f"identity/group/name/{name}", body)


async def _entity(bao: OpenBao, username: str, accessor: str) -> str:
    """A new entity that answers to a login; its id."""
    made = await bao.call("POST", f"identity/entity/name/{username}", {})
    id_ = str(made["data"]["id"])
    alias = {"name": username, "canonical_id": id_, "mount_accessor": accessor}
    await bao.call("POST", "identity/entity-alias", alias)
    return id_


async def _foreign_accessors(bao: OpenBao, credentials: Credentials) -> set[str]:
    """The accessors of all tokens but root's, the writer's and the reader's."""
    own = [bao.root_token, credentials.token(VAULT, "write"), credentials.token(VAULT, "read")]
    answers = [await bao.client.get("/v1/auth/token/lookup-self", headers={"X-Vault-Token": token}) for token in own]
    kept = {answer.json()["data"]["accessor"] for answer in answers if answer.is_success}
    return {*await _keys(bao, "auth/token/accessors")} - kept


async def _secrets(bao: OpenBao, folder: str) -> list[str]:
    """The paths of all secrets below a folder of the key-value engine."""
    found: list[str] = []
    for key in await _keys(bao, f"secret/metadata/{folder}"):
        found += await _secrets(bao, folder + key) if key.endswith("/") else [folder + key]
    return found


async def _keys(bao: OpenBao, path: str) -> list[str]:
    """What LIST answers; an empty list is 404 there."""
    answer = await bao.call("LIST", path)
    return list(answer["data"]["keys"]) if answer else []


async def _all(calls: Iterable[Awaitable[Any]]) -> None:
    await asyncio.gather(*calls)
