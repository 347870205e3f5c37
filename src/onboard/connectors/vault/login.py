"""Logging in to Vault, and whom a Vault token speaks for: that is how an approver is known."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import SecretStr

from onboard.connectors.vault.api import Clock, Vault, VaultRefused
from onboard.errors import NotAuthorised, SystemFailed

SYSTEM = "vault"


def _now() -> datetime:
    return datetime.now(UTC)


def vault_login(
    addr: str, role_id: str, secret_id: SecretStr, namespace: str | None, *, clock: Clock = _now
) -> SecretStr:
    """A token for an AppRole (POST auth/approle/login); it isn't kept anywhere.

    Raises NotAuthorised where the role or secret id isn't valid, SystemFailed where Vault can't be reached.
    """
    vault = Vault(SYSTEM, addr, SecretStr(""), namespace, clock, retry=False)
    try:
        answer = vault.find(
            "log in by AppRole",
            lambda c: c.auth.approle.login(role_id=role_id, secret_id=secret_id.get_secret_value(), use_token=False),
        )
    except VaultRefused as refused:
        raise NotAuthorised(
            f"Vault refused the AppRole login ({refused.status}): the role id or the secret id isn't valid, or no "
            "longer. Have a new secret id made and put it into the settings."
        ) from None
    if answer is None:
        raise SystemFailed(
            SYSTEM, "log in by AppRole: the answer held no token. Check that the address leads to Vault."
        )
    return SecretStr(answer.data["client_token"])


def whoami(addr: str, token: SecretStr, namespace: str | None, *, clock: Clock = _now) -> str:
    """The id of the identity entity that a token speaks for (GET auth/token/lookup-self).

    Raises NotAuthorised where the token isn't valid or has no entity, SystemFailed where Vault can't be reached.
    """
    vault = Vault(SYSTEM, addr, token, namespace, clock, retry=True)
    try:
        entity = vault.token().get("entity_id")
    except VaultRefused as refused:
        raise NotAuthorised(
            f"Vault doesn't accept your token ({refused.status}): it is wrong, has expired, or its entity is disabled. "
            "Log in to Vault again and use the new token."
        ) from None
    if not entity:
        raise NotAuthorised(
            "Your Vault token is valid but belongs to no identity (root tokens and tokens made from them don't). "
            "Log in to Vault as yourself, for instance through userpass or OIDC, and use that token."
        )
    return str(entity)
