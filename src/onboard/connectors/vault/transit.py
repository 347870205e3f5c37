"""Signing with Vault's transit engine: the key never leaves it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property

from onboard.connectors.http import documented
from onboard.connectors.vault.api import Vault
from onboard.errors import SystemRefused


@dataclass(frozen=True, slots=True)
class _Version:
    number: int
    public_key: bytes


class TransitSigner:
    """The newest version of an ed25519 key, as it was when it was first asked for.

    `reading` may read the key's public half (GET MOUNT/keys/KEY), `writing` may sign (POST MOUNT/sign/KEY), and neither
    needs more. Both calls raise SystemFailed, SystemRefused where Vault says no.
    """

    def __init__(self, reading: Vault, writing: Vault, mount: str, key: str) -> None:
        self._reading = reading
        self._writing = writing
        self._mount = mount
        self._key = key

    def public_key(self) -> bytes:
        """The raw public key."""
        return self._newest.public_key

    def sign(self, statement: bytes) -> bytes:
        """The signature of these bytes, by the version whose public key `public_key` gave."""
        doing = f"sign with {self._mount}/{self._key}"
        text = base64.b64encode(statement).decode()
        answer = self._writing.send(
            doing,
            lambda c: c.secrets.transit.sign_data(
                self._key, hash_input=text, key_version=self._newest.number, mount_point=self._mount
            ),
        )
        with documented(self._writing.system, doing):
            return base64.b64decode(answer.data["signature"].rpartition(":")[2], validate=True)

    @cached_property
    def _newest(self) -> _Version:
        doing = f"read the public key of {self._mount}/{self._key}"
        answer = self._reading.find(doing, lambda c: c.secrets.transit.read_key(self._key, mount_point=self._mount))
        if answer is None:
            system, place = self._reading.system, f"{self._mount}/keys/{self._key}"
            raise SystemRefused(system, f"there is no key {place}. Have it made there, of type ed25519.")
        with documented(self._reading.system, doing):
            if answer.data["type"] != "ed25519":
                raise SystemRefused(
                    self._reading.system, f"{self._mount}/{self._key} is no ed25519 key. Have one made."
                )
            number = int(answer.data["latest_version"])
            return _Version(number, base64.b64decode(answer.data["keys"][str(number)]["public_key"], validate=True))
