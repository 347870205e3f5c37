"""A keyring in Vault's key-value engine, version 2: people's keys by the beginning of their opaque ids, a secret each.

Transit could hold a key per person and never give it away; but it unwraps for one key a request, and listing names
would cost as many requests as there are people. docs/decisions/ says more.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property, partial
from itertools import groupby
from typing import NamedTuple

from onboard.connectors.http import documented
from onboard.connectors.vault.api import Vault, VaultRefused
from onboard.errors import SystemFailed

#: Bytes of a key.
SIZE = 32
#: How often a change is tried against others who change the same secret.
TRIES = 10
_CLASH = 400


class _Secret(NamedTuple):
    """A secret's version, 0 where there is none yet, and the keys in it."""

    version: int
    keys: Mapping[str, bytes]


class VaultKeyring:
    """Keys in `MOUNT/FOLDER/…`, at most 17 secrets: one for each first digit of an id, and one for the index.

    `reading` may read them (MOUNT/data/FOLDER/*); `writing` may read, create and update them, read their versions
    (MOUNT/metadata/FOLDER/*) and destroy these (MOUNT/destroy/FOLDER/*). What was read is kept for this process.
    """

    def __init__(self, reading: Callable[[], Vault], writing: Callable[[], Vault], mount: str, folder: str) -> None:
        self._open_reading = reading
        self._open_writing = writing
        self._mount = mount
        self._folder = folder
        self._seen: dict[str, Mapping[str, bytes]] = {}
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        """As the settings write it."""
        return f"vault:{self._mount}/{self._folder}"

    def keys(self, names: Collection[str]) -> Mapping[str, bytes]:
        """The keys of these names; a secret that lacks one of them is read anew, since another may have added it."""
        found: dict[str, bytes] = {}
        for path, group in self._by_secret(names):
            known = self._seen.get(path, {})
            if not known.keys() >= set(group):
                known = self._read(self._reading, path).keys
            found |= {name: known[name] for name in group if name in known}
        return found

    def make(self, names: Collection[str]) -> frozenset[str]:
        """Give each of these names a fresh key unless it has one; who got one."""
        made: set[str] = set()
        for path, group in self._by_secret(names):
            fresh = {name: os.urandom(SIZE) for name in group}
            before = self._change(path, partial(_with, fresh))
            made |= fresh.keys() - before.keys()
        return frozenset(made)

    def destroy(self, names: Collection[str]) -> None:
        """Take these names out of their secrets, and destroy every older version of those: they hold the keys too."""
        for path, group in self._by_secret(names):
            self._change(path, partial(_without, frozenset(group)))
            self._destroy_older(path)

    def _by_secret(self, names: Collection[str]) -> Iterable[tuple[str, list[str]]]:
        ordered = sorted(names, key=_secret_of)
        return [(f"{self._folder}/{secret}", list(group)) for secret, group in groupby(ordered, _secret_of)]

    def _read(self, client: Vault, path: str) -> _Secret:
        doing = f"read people's keys at {self._mount}/{path}"
        answer = client.find(
            doing,
            lambda c: c.secrets.kv.v2.read_secret_version(
                path, mount_point=self._mount, raise_on_deleted_version=False
            ),
        )
        if answer is None:
            return _Secret(0, {})
        with documented(client.system, doing):
            kept = answer.data["data"] or {}
            keys = {name: base64.b64decode(key, validate=True) for name, key in kept.items()}
            secret = _Secret(int(answer.data["metadata"]["version"]), keys)
        with self._lock:
            self._seen[path] = secret.keys
        return secret

    def _change(self, path: str, change: Callable[[Mapping[str, bytes]], Mapping[str, bytes]]) -> Mapping[str, bytes]:
        """Change a secret unless it is so already, nobody else's change lost; what it held before."""
        for _ in range(TRIES):
            before = self._read(self._writing, path)
            after = change(before.keys)
            if after.keys() == before.keys.keys() or self._wrote(path, after, before.version):
                with self._lock:
                    self._seen[path] = after
                return before.keys
        raise SystemFailed(self._writing.system, f"others change {self._mount}/{path} all the while: run this again")

    def _wrote(self, path: str, keys: Mapping[str, bytes], version: int) -> bool:
        """Write a secret's next version; False where somebody else was quicker."""
        kept = {name: base64.b64encode(key).decode() for name, key in sorted(keys.items())}
        try:
            self._writing.send(
                f"keep people's keys at {self._mount}/{path}",
                lambda c: c.secrets.kv.v2.create_or_update_secret(path, kept, cas=version, mount_point=self._mount),
            )
        except VaultRefused as refused:
            if refused.status != _CLASH or self._read(self._writing, path).version == version:
                raise
            return False
        return True

    def _destroy_older(self, path: str) -> None:
        doing = f"read the versions of {self._mount}/{path}"
        answer = self._writing.find(
            doing, lambda c: c.secrets.kv.v2.read_secret_metadata(path, mount_point=self._mount)
        )
        if answer is None:
            return
        with documented(self._writing.system, doing):
            newest = int(answer.data["current_version"])
            older = [int(n) for n, one in answer.data["versions"].items() if not one["destroyed"] and int(n) < newest]
        if older:
            self._writing.send(
                f"destroy older versions of {self._mount}/{path}",
                lambda c: c.secrets.kv.v2.destroy_secret_versions(path, older, mount_point=self._mount),
            )

    @cached_property
    def _reading(self) -> Vault:
        return self._open_reading()

    @cached_property
    def _writing(self) -> Vault:
        return self._open_writing()


def _with(fresh: Mapping[str, bytes], known: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Both; what is known stays as it is."""
    return {**fresh, **known}


def _without(gone: Collection[str], known: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return {name: key for name, key in known.items() if name not in gone}


def _secret_of(name: str) -> str:
    """The secret that a name's key stands in: a person's by the first digit of the id."""
    return name[2] if name.startswith("p-") else name
