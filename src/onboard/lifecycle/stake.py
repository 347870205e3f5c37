"""What everybody of a vendor holds, counted before it is taken: one reading of each system serves all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onboard.connectors.base import Reader, Scope
from onboard.connectors.vault.reader import VaultReader
from onboard.engine.diff import Sight
from onboard.engine.parallel import each
from onboard.errors import SystemFailed
from onboard.ledger import Register
from onboard.lifecycle.standing import subject_of
from onboard.model import Account, Holding, HoldingState
from onboard.wiring import Services

#: The types of resource that are credentials.
_TOKENS = frozenset({"token", "token-request", "credential", "deploy-key"})


@dataclass(frozen=True, slots=True)
class Stake:
    """What people hold on one system. `unknown` says why it couldn't be counted, or what of it."""

    system: str
    accounts: int
    grants: int = 0
    invitations: int = 0
    tokens: int = 0
    unknown: str = ""


def stakes(services: Services, register: Register, people: Sequence[str]) -> tuple[Stake, ...]:
    """What these people's accounts hold, system by system. Reads; changes nothing, and raises nothing for a system."""
    accounts = [account for person in people for account in subject_of(services, register, person).everything]
    systems = sorted({account.system for account in accounts} & services.readers.keys())

    def count(system: str) -> Stake:
        return _count(services.readers[system], [account for account in accounts if account.system == system])

    return tuple(each(count, systems))


def _count(reader: Reader, accounts: Sequence[Account]) -> Stake:
    observation = reader.read(Scope(None))
    if observation.unknown is not None:
        return Stake(reader.system, len(accounts), unknown=observation.unknown)
    sight = Sight({reader.system: observation})
    held = [h for account in accounts for holdings in sight.held(account).values() for h in holdings]
    direct = [holding for holding in held if holding.via == "direct"]
    active, tokens = [h for h in direct if _is_access(h)], [h for h in direct if h.resource.type in _TOKENS]
    unread = sum(reading.unknown is not None for reading in observation.readings.values())
    live, reason = _live_tokens(reader, accounts)
    return Stake(
        reader.system,
        len(accounts),
        grants=len(active),
        invitations=sum(h.state is not HoldingState.ACTIVE for h in direct),
        tokens=len(tokens) + live,
        unknown="; ".join(filter(None, (f"{unread} resources couldn't be read" if unread else "", reason))),
    )


def _is_access(holding: Holding) -> bool:
    return holding.state is HoldingState.ACTIVE and holding.resource.type not in _TOKENS


def _live_tokens(reader: Reader, accounts: Sequence[Account]) -> tuple[int, str]:
    """How many live tokens a Vault has for these accounts, or why that can't be told; elsewhere none."""
    if not isinstance(reader, VaultReader):
        return 0, ""
    try:
        alive = reader.live_tokens()
    except SystemFailed as failure:
        return 0, f"tokens couldn't be counted: {failure.reason}"
    return sum(alive[account.external_id] for account in accounts if account.external_id), ""
