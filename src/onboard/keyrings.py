"""From settings to the keyring: where people's keys are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from onboard.ledger.privacy.keyring import FileKeyring, Keyring
from onboard.ledger.store import keyring_beside
from onboard.settings import Purpose, Settings
from onboard.wiring import Clock, Purse

if TYPE_CHECKING:
    from onboard.connectors.vault.api import Vault


def keyring(settings: Settings, clock: Clock) -> Keyring:
    """Where people's keys are; nobody is asked yet. Raises BadInput where that is a Vault and none is configured."""
    if settings.ledger.keyring == "file":
        file = settings.ledger.keyring_file
        return FileKeyring(file) if file else keyring_beside(settings.ledger_url.get_secret_value())
    from onboard.connectors.vault.keyring import VaultKeyring

    settings.vault  # noqa: B018 - raises where there is none
    mount, _, folder = settings.ledger.keyring.removeprefix("vault:").partition("/")
    reading, writing = (partial(_vault, settings, clock, purpose) for purpose in ("reading", "writing"))
    return VaultKeyring(reading, writing, mount, folder)


def doubts(settings: Settings) -> Iterator[str]:
    """What may keep others from reading people's names, or let them live on after an erasure."""
    url, ours = settings.ledger_url.get_secret_value(), settings.ledger
    if ours.keyring == "file" and not url.startswith("sqlite"):
        yield (
            "the keyring is a file, and the ledger is on a server: a worker on another machine can't work unless "
            'it shares that file. Or keep the keys in Vault: ledger.keyring = "vault".'
        )


def _vault(settings: Settings, clock: Clock, purpose: Purpose) -> Vault:
    from onboard.connectors.vault.api import Vault

    name, vault = settings.vault
    token = Purse(settings, clock, purpose).vault_token(name, vault)
    return Vault(name, vault.addr, token, vault.namespace, clock, retry=purpose == "reading")
