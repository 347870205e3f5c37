"""What the engine asks of a system: a `Reader` that cannot write, and a `Writer` that holds other credentials.

Connectors know neither policy nor ledger. Each holds one SDK client per thread (the SDKs rest on `requests` sessions,
and PyGithub mixes up calls on a shared connection), built from the credentials it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from onboard.model import Account, Holding, Kind, Observation, Receipt, Resource

#: By which route a residue tells an account that isn't ours to close, and that opens nothing here by itself.
OWN_ACCOUNT = "the person's Atlassian account"
#: Seconds until a call is given up: shorter than any lease that is held around it.
TIMEOUT = 10.0

#: Holds a container while its whole membership is read and replaced, so that no other worker does. Taking it, and
#: calling what it yields, raise Waiting where it can't be had, or isn't held any more.
Hold = Callable[[Resource], AbstractContextManager[Callable[[], None]]]


@contextmanager
def unheld(_: Resource) -> Iterator[Callable[[], None]]:
    """Hold nothing: for whoever is alone with a system, as a test is."""
    yield lambda: None


@dataclass(frozen=True, slots=True)
class Scope:
    """What to read of one system: these resources, or, with None, every resource that the system has.

    Some parts cost a request for each resource (GitHub's repository invitations and deploy keys). `fresh` names the
    resources of which these are read anew in any case; those of others may be as old as their `Reading.at` says.
    With None everything is read anew.
    """

    resources: frozenset[Resource] | None = None
    fresh: frozenset[Resource] | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What `doctor` shows of one credential: reachable, as whom, and rights that are missing or too many."""

    reachable: bool
    identity: str = ""
    rights: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    excess: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that a system, its tier or our credential can or can't do; None: it couldn't be told."""

    name: str
    available: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unverifiable:
    """A kind of access that nobody but its holder can see, why, and how long it may still live (None: without end).

    `by_hand` says what people have to do about it, where it goes on opening something once all else is gone.
    """

    what: str
    reason: str
    longest: timedelta | None = None
    by_hand: str = ""


@dataclass(frozen=True, slots=True)
class Residue:
    """What one account still holds, read again by every route.

    `routes` are those that were read completely: what isn't in `remaining` is verified gone on them. `unknown` names
    the routes that couldn't be read, with the reason.
    """

    at: datetime
    routes: tuple[str, ...]
    remaining: tuple[Holding, ...] = ()
    unverifiable: tuple[Unverifiable, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()


class Reader(Protocol):
    """Reads one system, with credentials that cannot write."""

    @property
    def system(self) -> str:
        """The configured name of the system."""
        ...

    @property
    def kind(self) -> Kind:
        """Its kind."""
        ...

    def read(self, scope: Scope) -> Observation:
        """Read membership of the resources in scope, pending and expired invitations included.

        Never raises for what a system does: a resource that fails is unknown with the reason, a system that can't be
        reached is an observation with `unknown` set. A resource that doesn't exist there is unknown, saying so.
        Reads are retried here (a library's back-off, honouring Retry-After) before they count as failed.
        """
        ...

    def residue(self, account: Account) -> Residue:
        """What this account still holds, read again by every route, beside what can't be verified.

        More routes than `read` has: what hangs on an account (tokens, sessions, keys) too. An account that is bound to
        no id yet is looked up by its handle. Never raises for what a system does: such a route is unknown.
        """
        ...

    def capabilities(self) -> tuple[Capability, ...]:
        """What this system, its plan and this credential can do: asked for, not assumed. Never raises either."""
        ...

    def find_account(self, handle: str) -> Account | None:
        """The account that answers to a handle now (exact match, never the first fuzzy one), to bind by its id.

        None means verified absent. The account's `id` and `person` are empty: binding is the caller's.
        Raises SystemFailed where it can't be told.
        """
        ...

    def health(self) -> Health:
        """Whether it answers, as whom, with which rights."""
        ...


class Writer(Protocol):
    """Changes one system. Every call is idempotent: what is so already is a receipt with `changed=False`.

    No call is repeated here and the SDK's own retries are off: whoever calls decides, after reading. Raises
    SystemRefused where the answer was a definite no, SystemFailed otherwise, `uncertain` unless the request surely
    never arrived.

    A write that replaces a container's whole membership is made inside `hold`: the membership is read there, and what
    `hold` yields is called right before the write, so that who lost the container writes nothing.
    """

    @property
    def system(self) -> str:
        """The configured name of the system."""
        ...

    def grant(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Make the account hold exactly this level on the resource, or an invitation to it."""
        ...

    def revoke(self, account: Account, resource: Resource, level: str, hold: Hold = unheld) -> Receipt:
        """Take this level on the resource from the account, pending and expired invitations included."""
        ...

    def replaces_all(self, resource: Resource) -> bool:
        """Whether a write to this resource replaces its whole membership, so that it needs the container's lease."""
        ...

    def cut_off(self, account: Account, hold: Hold = unheld) -> Sequence[Receipt]:
        """Pull every lever on the account, coarsest first, without reading first. Raises as above, after trying all.

        The coarse levers wait for no container; one that can't be held is a failure of its own lever and of no other.
        """
        ...

    def health(self) -> Health:
        """Whether it answers, as whom, with which rights."""
        ...
