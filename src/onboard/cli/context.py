"""What a command works with: the process's environment, working directory and clock enter here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from onboard.cli import output, render
from onboard.errors import BadInput, Findings, NotAuthorised, SystemFailed
from onboard.model import OPERATOR, Actor

if TYPE_CHECKING:
    from pydantic import SecretStr

    from onboard.ledger import Ledger
    from onboard.settings import Settings
    from onboard.wiring import Services


def clock() -> datetime:
    """Now, aware UTC."""
    return datetime.now(UTC)


def settings() -> Settings:
    """The settings that hold here. Raises BadInput with every problem at once."""
    from onboard.settings import Settings

    return Settings.load(os.environ, Path.cwd())


@contextmanager
def ledger() -> Iterator[Ledger]:
    """The ledger alone, for commands that need no system."""
    from onboard import wiring

    opened = wiring.open_ledger(settings(), clock)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def begun_ledger() -> Iterator[Ledger]:
    """The ledger alone, begun where there is none yet: for what comes first, entering people and engagements."""
    from onboard import wiring

    opened = wiring.begin_ledger(settings(), clock)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def services(*, regardless: bool = False) -> Iterator[Services]:
    """Everything: ledger, policy and readers. `regardless` of policies that can't be read: for taking access away."""
    from onboard import wiring

    built = wiring.build(settings(), clock, partial(output.say, stderr=True), regardless=regardless)
    try:
        yield built
    finally:
        built.close()


def vault_token() -> SecretStr | None:
    """The user's own Vault login: VAULT_TOKEN, or what `vault login` left in ~/.vault-token; None without either."""
    from pydantic import SecretStr

    token = os.environ.get("VAULT_TOKEN", "")
    kept = Path.home() / ".vault-token"
    if not token and kept.is_file():
        token = kept.read_text(encoding="utf-8").strip()
    return SecretStr(token) if token else None


def caller() -> Actor:
    """Who types, for commands that need no system otherwise; with a Vault login it is looked up."""
    if vault_token() is None:
        return OPERATOR
    try:
        with services() as opened:
            return actor(opened)
    except BadInput as failure:
        output.say(f"Recorded as by the operator, not by you: {failure}", stderr=True)
        return OPERATOR


def actor(services: Services) -> Actor:
    """Who types, where no approval is needed: the person of their Vault login, else the operator whom no login named.

    A login that isn't accepted, or a Vault that doesn't answer, keeps nobody from recording a fact; stderr says it.
    """
    from onboard.lifecycle import approvals

    token = vault_token()
    if token is None:
        return OPERATOR
    try:
        return approvals.authenticate(services, token)
    except (NotAuthorised, SystemFailed, Findings) as failure:
        output.say(f"Recorded as by the operator, not by you: {failure}", stderr=True)
        return OPERATOR


def announce(services: Services) -> None:
    """Tell approvers what waits for them, and what became of it; what fails is said on stderr, and stops nothing."""
    from onboard.lifecycle.notices import announce

    announce(services, partial(output.say, stderr=True))


def person(services: Services, text: str) -> str:
    """The id of the one person that `text` names. Raises BadInput where nobody or several fit, and lists them."""
    return render.resolve(services.ledger.people, text)


def name(services: Services, person: str) -> str:
    """A person's name as this reader may see it."""
    return render.name(services.ledger.people, person)


def short(services: Services, person: str) -> str:
    """The beginning of a person's id by which it can be typed here."""
    return render.short(person, services.ledger.people.all())


def names(services: Services) -> Callable[[str], str]:
    """Everybody's name as this reader may see it, read once; whoever isn't known is shown by the id's beginning."""
    profiles = services.ledger.people.all()
    return lambda person: profiles[person].name if person in profiles else render.short(person)


def prefect_api() -> str | None:
    """The address of the Prefect API that flows are dispatched to; None where everything runs in this process."""
    return os.environ.get("PREFECT_API_URL") or None
