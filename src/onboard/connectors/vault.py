"""Vault and OpenBao (hvac): who may log in, who is in which identity group, and whom a token speaks for."""

from onboard.connectors.vault_login import vault_login, whoami
from onboard.connectors.vault_reach import Reach
from onboard.connectors.vault_reader import VaultReader
from onboard.connectors.vault_writer import VaultWriter

__all__ = ["Reach", "VaultReader", "VaultWriter", "vault_login", "whoami"]
