"""Who an actor is: shown by their own Vault login here, by a signed answer in `answers.py`."""

from __future__ import annotations

from pydantic import SecretStr

from onboard.errors import NotAuthorised
from onboard.ledger import Register
from onboard.ledger.projections.facts import FactRecord
from onboard.lifecycle.company import outsourced
from onboard.lifecycle.proposing import bind_everybody
from onboard.lifecycle.standing import register_of
from onboard.model import OPERATOR, Actor
from onboard.wiring import Services

VAULT_LOGIN = "vault login"
SLACK_INTERACTION = "slack interaction"
JIRA_WEBHOOK = "jira webhook"
#: Ways by which an actor is shown to be the person they are. Whoever came otherwise decides nothing.
AUTHENTICATED = frozenset({VAULT_LOGIN, SLACK_INTERACTION, JIRA_WEBHOOK})


def authenticate(services: Services, token: SecretStr | None) -> Actor:
    """Who holds this Vault token, as a person that the ledger knows. Raises NotAuthorised, SystemFailed."""
    if token is None or not token.get_secret_value():
        raise NotAuthorised(
            "An approval needs your own Vault login. Log in (vault login -method=userpass username=YOU), or set"
            " VAULT_TOKEN to your token, and try again. Nothing was changed."
        )
    system, entity = services.vault_identity(token)
    people = services.ledger.people
    account = people.account_by_external(system, entity) or _bound_now(services, system, entity)
    if account is None:
        raise NotAuthorised(
            "Your Vault login is known to Vault but to nobody here. Enter yourself first:"
            f" onboard person add NAME --email E-MAIL --{system} USERNAME. Nothing was changed."
        )
    person = people.account(account).person
    register = register_of(services)
    _require_present(register, person, system, account)
    _require_own_handle(register, person, system)
    return Actor(person, VAULT_LOGIN)


def _require_present(register: Register, person: str, system: str, account: str) -> None:
    """Raises NotAuthorised where another login has taken this one's place: the former one speaks for nobody."""
    present = register.bindings(person).get(system)
    if present is not None and present.account != account:
        raise NotAuthorised(
            f"This Vault login was somebody's here until another was entered for them. Log in with that one, or have a"
            f" colleague of the company enter this one: onboard person set {person[:10]} --{system} USERNAME."
            " Nothing was changed."
        )


def _require_own_handle(register: Register, person: str, system: str) -> None:
    """Raises NotAuthorised where the handle behind a login was changed by somebody whom no login had named.

    Else whoever may type commands could give an approver's name to their own login.
    """
    change = unvouched(register, person, system)
    if change is not None:
        raise NotAuthorised(
            f"Your {system} handle was changed on {change.at:%Y-%m-%d} by somebody without a login, so it doesn't show"
            f" who you are. Have a colleague of the company confirm it, logged in to Vault:"
            f" onboard person set {person[:10]} --{system} USERNAME. Nothing was changed."
        )


def unvouched(register: Register, person: str, handle: str) -> FactRecord | None:
    """The last change of a person's handle or address, where no login showed that one of the company made it."""
    change = register.handle_change(person, handle)
    if change is None:
        return None
    by = change.actor
    return change if by.authenticated_by != VAULT_LOGIN or outsourced(register, by.id) else None


def _bound_now(services: Services, system: str, entity: str) -> str | None:
    """Bind the people whose Vault handle was entered but has not been looked up yet, and look again."""
    bind_everybody(services, OPERATOR, system)
    return services.ledger.people.account_by_external(system, entity)
