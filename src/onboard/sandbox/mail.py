"""The sandbox's mail server: takes every message, delivers none, and shows them to whoever asks the control API."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
from collections.abc import Callable, Iterable
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from onboard.sandbox.core import Clock
from onboard.sandbox.faults import Fault, Faults

MAIL = "mail"
SENDER = "onboard@acme.example"
#: Messages that are kept; the oldest go first.
KEPT = 1000

#: What the server says to a message that meets such a fault.
_ANSWERS = {
    "forbidden": "550 5.7.1 Message refused",
    "429": "451 4.7.0 Too many messages, try again later",
    "500": "451 4.3.0 Local error in processing",
}


class PostOffice:
    """SMTP on a loopback socket, without TLS or login. Faults meet it as `mail`, with the SMTP verb as their method.

    RCPT and DATA can meet one; their path is the recipient's address. `drop-after` keeps the message and closes the
    connection before answering; `changed` is called with every message that is kept.
    """

    def __init__(self, faults: Faults, clock: Clock, changed: Callable[[], None]) -> None:
        self._faults = faults
        self._clock = clock
        self._changed = changed
        self._messages: list[dict[str, Any]] = []

    async def serve(self, bound: socket.socket) -> asyncio.Server:
        """Listen on a bound socket, until the server is closed."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: SMTP(self, enable_SMTPUTF8=True, ident="sandbox", loop=loop), sock=bound
        )

    def messages(self, to: str | None = None) -> list[dict[str, Any]]:
        """What was sent (to that address), the oldest first: from, to, subject, text, at."""
        return [m for m in self._messages if to is None or to.casefold() in [t.casefold() for t in m["to"]]]

    def take_up(self, messages: Iterable[dict[str, Any]]) -> None:
        """Hold these messages, and no others."""
        self._messages = list(messages)

    # What aiosmtpd calls, by these names

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's own name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """RCPT TO: an address is taken unless it meets a fault."""
        fault = await self._met("RCPT", address)
        if fault:
            return self._wrong(server, fault)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """DATA: the message is kept."""
        recipients = [str(address) for address in envelope.rcpt_tos]
        fault = await self._met("DATA", " ".join(recipients))
        if fault is None or fault.kind == "drop-after":
            self._keep(str(envelope.mail_from), recipients, cast(bytes, envelope.content))
        return "250 OK" if fault is None else self._wrong(server, fault)

    async def _met(self, verb: str, address: str) -> Fault | None:
        fault = self._faults.take(MAIL, verb, address, more_pages=False)
        if fault is not None and fault.kind == "latency":
            await asyncio.sleep(fault.ms / 1000)
            return None
        return fault

    def _wrong(self, server: SMTP, fault: Fault) -> str:
        if fault.kind.startswith("drop"):
            cast(asyncio.Transport, server.transport).abort()
        return _ANSWERS.get(fault.kind, _ANSWERS["500"])

    def _keep(self, sender: str, recipients: list[str], content: bytes) -> None:
        message = email.message_from_bytes(content, policy=email.policy.default)
        body = message.get_body(("plain",))
        kept = {
            "from": sender,
            "to": recipients,
            "subject": str(message["subject"] or ""),
            "text": str(body.get_content()).replace("\r\n", "\n") if body else "",
            "at": self._clock.now().isoformat(),
        }
        self._messages = [*self._messages, kept][-KEPT:]
        self._changed()
