"""Sending one message by SMTP, over the standard library's client."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import Literal

from pydantic import SecretStr

from onboard.connectors.base import TIMEOUT
from onboard.errors import SystemFailed, SystemRefused

MAIL = "mail"
Tls = Literal["starttls", "implicit", "none"]
_PORTS = {"starttls": 587, "implicit": 465, "none": 25}
#: The only part of a server's answer that is repeated: its words may quote the message or the address.
_ENHANCED = re.compile(rb"\d\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class Mailer:
    """A mail server that takes messages for others. A `port` of 0 is the usual one for that kind of `tls`.

    The server's certificate is checked against the machine's authorities. Nothing is sent in the clear unless `tls`
    is "none".
    """

    host: str
    sender: str
    port: int = 0
    tls: Tls = "starttls"
    username: str | None = None
    password: SecretStr | None = None

    def send(self, to: str, subject: str, text: str) -> None:
        """Hand the message to the server, once.

        Raises SystemRefused where the server said no or can't be trusted, SystemFailed where it didn't answer,
        `uncertain` where it may have taken the message all the same. No error quotes the message or the address.
        """
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, subject
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine replies to it
        message.set_content(text, cte="quoted-printable")
        plain = to.isascii() and self.sender.isascii()
        content = message.as_bytes(policy=SMTP if plain else SMTPUTF8)
        with _told("reaching it"), self._connected() as server:
            with _told("naming the recipient"):
                _expect(server.mail(self.sender, [] if plain else ["SMTPUTF8"]), "the sender")
                _expect(server.rcpt(to), "the recipient")
            with _told("handing it the message", uncertain=True):
                _expect(server.data(content), "the message")

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        port, context = self.port or _PORTS[self.tls], ssl.create_default_context()
        if self.tls == "implicit":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, port, timeout=TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(self.host, port, timeout=TIMEOUT)
        try:
            server.ehlo_or_helo_if_needed()
            if self.tls == "starttls":
                server.starttls(context=context)
            if self.username is not None and self.password is not None:
                server.login(self.username, self.password.get_secret_value())
            yield server
        finally:
            server.close()


def _expect(answer: tuple[int, bytes], what: str) -> None:
    """Raises SystemRefused for a lasting no (5xx), SystemFailed for one that may pass, or that can't be read."""
    code, words = answer
    if code in (250, 251):
        return
    enhanced = _ENHANCED.search(words)
    reason = f"the server doesn't take {what} ({' '.join([str(code), *([enhanced[0].decode()] if enhanced else [])])})"
    raise SystemRefused(MAIL, reason) if 500 <= code < 600 else SystemFailed(MAIL, reason, uncertain=code < 400)


@contextmanager
def _told(doing: str, *, uncertain: bool = False) -> Iterator[None]:
    """What the library raises while doing something, in our words."""
    try:
        yield
    except ssl.SSLError as error:
        if uncertain:
            raise SystemFailed(MAIL, f"{doing} failed: the connection broke", uncertain=True) from None
        reason = getattr(error, "verify_message", "") or error.reason or "no common protocol"
        raise SystemRefused(MAIL, f"the server's TLS can't be relied on: {reason}") from None
    except smtplib.SMTPAuthenticationError as error:
        raise SystemRefused(MAIL, f"the server doesn't accept the user name and password ({error.smtp_code})") from None
    except smtplib.SMTPNotSupportedError:
        raise SystemRefused(MAIL, f"the server can't do what {doing} needs: TLS, a login or such an address") from None
    except smtplib.SMTPResponseException as error:
        _expect((error.smtp_code, b""), f"what was sent ({doing})")
    except (OSError, smtplib.SMTPException) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise SystemFailed(MAIL, f"{doing} failed: {why}", uncertain=uncertain) from None
