"""What every connector shares: a client per thread, what a failure means for the caller, and retried reads.

Reasons are built from what we did, never from a vendor's message, an address or a body: those may hold a name or a
token.
"""

from __future__ import annotations

import contextvars
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, Generic, TypeVar

import requests
import stamina
import stamina.instrumentation
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Receipt

T = TypeVar("T")
R = TypeVar("R")

#: Calls to one system at once while it is read in bulk.
WORKERS = 8

#: The longest wait in seconds that a vendor may ask of a read; beyond it the read counts as failed.
LONGEST_WAIT = 20.0

#: Three attempts, then the reading is unknown: whoever asked can ask again, and the other resources go on.
RETRIES = stamina.RetryingCaller(attempts=3, timeout=60.0, wait_initial=0.2, wait_max=2.0, wait_jitter=0.2)
stamina.instrumentation.set_on_retry_hooks(())  # they would write each retried read to standard error

#: What looking into an answer raises where it isn't of the documented form.
MALFORMED = (KeyError, TypeError, AttributeError, ValueError)

#: Errors that can only come before the first byte of a request is sent.
_BEFORE_SENDING = (
    ConnectionRefusedError,
    socket.gaierror,
    ssl.SSLCertVerificationError,
    NewConnectionError,
    ConnectTimeoutError,
    requests.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)


class Unreachable(SystemFailed):
    """No connection could be opened: nothing was sent, and nothing else on that system will answer either."""


class Rejected(SystemRefused):
    """The credential itself isn't accepted (401): nothing on that system will answer it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system answered to one request: its status, its headers with lower-case names, its body as parsed JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any = None


class PerThread(Generic[T]):
    """Hands every thread a client of its own, made by `make` when that thread first asks, kept as long as it lives."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._local = threading.local()

    def __call__(self) -> T:
        """This thread's client."""
        client: T | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._make()
        return client


def merged(receipts: Sequence[Receipt], at: datetime) -> Receipt:
    """One receipt for several writes: the last that changed something; without one, that it was so already."""
    changed = [receipt for receipt in receipts if receipt.changed]
    return changed[-1] if changed else Receipt("already so", at, changed=False)


def reading(call: Callable[[], T]) -> T:
    """What `call` returns, trying again where it raises SystemFailed for something that may pass.

    A definite no (SystemRefused) is never tried again. A vendor's `retry_after` is waited for, up to LONGEST_WAIT
    seconds. Raises what the last attempt raised, never uncertain. For reads only: writes are repeated by the engine,
    after reading.
    """
    with read_only():
        return RETRIES(_worth_waiting, call)


def side_by_side(work: Callable[[T], R], items: Iterable[T], workers: int = WORKERS) -> list[R]:
    """`work` on every item, so many at once; the results in the items' order. Each thread finds the caller's context.

    After the first that raises no other is begun; it is raised once those under way have ended.
    """
    todo = list(items)
    if len(todo) < 2:
        return [work(item) for item in todo]
    failed = threading.Event()

    def unless_failed(item: T) -> R:
        if failed.is_set():
            raise CancelledError
        try:
            return work(item)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(min(workers, len(todo)), thread_name_prefix="onboard-read") as pool:
        futures = [pool.submit(contextvars.copy_context().run, unless_failed, item) for item in todo]
        wait(futures, return_when=FIRST_EXCEPTION)
        ended = [future for future in futures if not future.cancel()]
    for future in ended:
        failure = future.exception()
        if failure is not None and not isinstance(failure, CancelledError):
            raise failure
    return [future.result() for future in futures]


def transport_failure(system: str, doing: str, error: Exception) -> SystemFailed:
    """What an SDK's or `requests`' own exception means, where no answer was received at all.

    `doing` names the call and its resource ("GET the members of acme/payments-api"), without people. The result is an
    Unreachable where no connection could be opened, else a SystemFailed that is uncertain.
    """
    causes = _chain(error)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Unreachable(
            system, f"{doing}: its TLS certificate can't be verified. Check the address and the trusted CAs."
        )
    if any(isinstance(cause, _BEFORE_SENDING) for cause in causes):
        return Unreachable(system, f"{doing}: no connection could be opened. Check the address and the network.")
    if any(isinstance(cause, (TimeoutError, requests.Timeout)) for cause in causes):
        return SystemFailed(system, f"{doing}: no answer in time.", uncertain=True)
    return SystemFailed(system, f"{doing}: the connection broke before an answer came.", uncertain=True)


def malformed(what: str) -> str:
    """The reason where MALFORMED was raised."""
    return f"{what}: the answer lacks what the API's description promises. Check the address, or report it to us."


@contextmanager
def documented(system: str, doing: str) -> Iterator[None]:
    """Raises SystemFailed, uncertain, where an answer isn't of the documented form."""
    try:
        yield
    except MALFORMED:
        raise SystemFailed(system, malformed(doing), uncertain=True) from None


@contextmanager
def read_only() -> Iterator[None]:
    """Reading takes no effect: a failure inside is never uncertain."""
    try:
        yield
    except SystemFailed as failure:
        failure.uncertain = False
        raise


@contextmanager
def transport(system: str, doing: str) -> Iterator[None]:
    """Raises `transport_failure` in place of what the network, urllib3 or requests raise inside.

    The original is left out of the traceback, because its text holds the address.
    """
    try:
        yield
    except (OSError, HTTPError, HTTPException) as error:  # requests' own exceptions are OSErrors
        raise transport_failure(system, doing, error) from None


def status_failure(
    system: str, doing: str, status: int, headers: Mapping[str, str], now: datetime, detail: str = ""
) -> SystemFailed:
    """What an answer other than success means: 429 is a limit, 5xx is uncertain, anything else a definite no.

    `detail` explains the status in words of our own. A vendor that signals its limits otherwise (GitHub answers 403)
    sorts that out first, and calls `limited`.
    """
    if status == requests.codes.too_many_requests:
        return limited(system, doing, status, retry_after(headers, now))
    told = f"{doing}: answered {status}{f' ({detail})' if detail else ''}."
    if status == requests.codes.unauthorized:
        return Rejected(system, f"{told} The token is wrong, expired or revoked: set a new one.")
    if status >= requests.codes.internal_server_error:
        return SystemFailed(system, told, uncertain=True, retry_after=retry_after(headers, now))
    return SystemRefused(system, told)


def limited(system: str, doing: str, status: int, wait: float | None) -> SystemFailed:
    """A rate limit: nothing took effect, and the same call works later, in `wait` seconds where the vendor said."""
    when = "later" if wait is None else f"in {wait:.0f} s"
    return SystemFailed(system, f"{doing}: rate limit reached ({status}). Try again {when}.", retry_after=wait)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The `Retry-After` header in seconds from `now`, given there as seconds or as an HTTP date (RFC 9110, 10.2.3).

    None where it is absent or makes no sense; never negative.
    """
    value = next((text.strip() for name, text in headers.items() if name.lower() == "retry-after"), "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def _worth_waiting(error: Exception) -> bool | float:
    """Whether a read that failed is tried again: True for the usual back-off, or the seconds the vendor asked for."""
    if not isinstance(error, SystemFailed) or isinstance(error, SystemRefused):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= LONGEST_WAIT else False


def _chain(error: BaseException) -> list[BaseException]:
    """The error and all that it wraps: its cause, urllib's and urllib3's `reason`, exceptions among its arguments."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop()
        if isinstance(item, BaseException) and not any(item is known for known in found):
            found.append(item)
            waiting += [item.__cause__, getattr(item, "reason", None), *item.args]
    return found
