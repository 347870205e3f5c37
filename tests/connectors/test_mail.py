"""Sending mail: what was surely not sent, what may have been, and nothing in the clear."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from onboard.connectors.mail import Mailer, Tls
from onboard.errors import SystemFailed, SystemRefused
from onboard.sandbox.client import SandboxClient

MARTA = "marta@nordwind.example"
Serve = Callable[[ssl.SSLContext, bool], int]


def mailer(sandbox: SandboxClient) -> Mailer:
    mail = sandbox.ready["mail"]
    return Mailer(mail["host"], mail["sender"], int(mail["port"]), "none")


def test_a_message_arrives_as_it_was_written(sandbox: SandboxClient) -> None:
    mailer(sandbox).send(MARTA, "A code", "Grüße\nABCD-EFGH\n")

    (message,) = sandbox.mail(MARTA)
    assert (message["from"], message["subject"]) == ("onboard@acme.example", "A code")
    assert message["text"] == "Grüße\nABCD-EFGH\n"


def test_an_address_beyond_ascii_is_one_like_any_other(sandbox: SandboxClient) -> None:
    mailer(sandbox).send("jürgen@nordwind.example", "A code", "Hello")

    assert len(sandbox.mail("jürgen@nordwind.example")) == 1


def test_a_lost_answer_is_uncertain_since_the_message_may_have_gone(sandbox: SandboxClient) -> None:
    sandbox.fault("mail", "drop-after", method="DATA", times=1)

    with pytest.raises(SystemFailed) as failed:
        mailer(sandbox).send(MARTA, "A code", "ABCD-EFGH")

    assert failed.value.uncertain
    assert len(sandbox.mail(MARTA)) == 1


@pytest.mark.parametrize(
    ("kind", "method", "error", "words"),
    [
        ("forbidden", "RCPT", SystemRefused, "doesn't take the recipient (550 5.7.1)"),
        ("forbidden", "DATA", SystemRefused, "doesn't take the message (550 5.7.1)"),
        ("500", "DATA", SystemFailed, "doesn't take the message (451 4.3.0)"),
        ("drop-before", "RCPT", SystemFailed, "naming the recipient failed"),
    ],
)
def test_a_no_is_certain_and_quotes_neither_message_nor_address(
    sandbox: SandboxClient, kind: str, method: str, error: type[SystemFailed], words: str
) -> None:
    sandbox.fault("mail", kind, method=method, times=1)

    with pytest.raises(SystemFailed) as failed:
        mailer(sandbox).send(MARTA, "A code", "ABCD-EFGH")

    assert type(failed.value) is error
    assert not failed.value.uncertain
    assert words in str(failed.value)
    assert "marta" not in str(failed.value)
    assert sandbox.mail(MARTA) == []


def test_a_server_that_is_not_there_took_nothing() -> None:
    with pytest.raises(SystemFailed, match="reaching it failed") as failed:
        Mailer("127.0.0.1", "onboard@acme.example", 1, "none").send(MARTA, "A code", "ABCD-EFGH")

    assert not failed.value.uncertain


def test_nothing_is_sent_in_the_clear_where_tls_is_wanted(sandbox: SandboxClient) -> None:
    mail = sandbox.ready["mail"]

    with pytest.raises(SystemRefused, match="TLS"):
        Mailer(mail["host"], mail["sender"], int(mail["port"])).send(MARTA, "A code", "ABCD-EFGH")

    assert sandbox.mail() == []


class Box:
    """Keeps the recipients of what it takes."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken += envelope.rcpt_tos
        return "250 OK"

    def login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=(login.login, login.password) == (b"onboard", b"hush"), handled=False)


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that its own file vouches for, and a server that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret.write_bytes(key.private_bytes(*plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return file, context


@pytest.fixture
def serve(box: Box) -> Iterator[Serve]:
    """Starts a mail server that wants TLS and a login: at once, or by STARTTLS. Answers its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers: list[asyncio.Server] = []

    async def start(context: ssl.SSLContext, implicit: bool) -> int:
        def protocol() -> SMTP:
            return SMTP(
                box,
                tls_context=None if implicit else context,
                require_starttls=not implicit,
                auth_required=True,
                auth_require_tls=not implicit,
                authenticator=box.login,
                loop=loop,
            )

        server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if implicit else None)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield lambda context, implicit: asyncio.run_coroutine_threadsafe(start(context, implicit), loop).result(10)
    for server in servers:
        loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_with_tls_and_a_login_it_is_sent_and_without_trust_or_the_right_password_it_is_not(
    tls: Tls,
    serve: Serve,
    box: Box,
    authority: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, context = authority
    port = serve(context, tls == "implicit")

    def send(password: str = "hush") -> None:
        login = Mailer("127.0.0.1", "onboard@acme.example", port, tls, "onboard", SecretStr(password))
        login.send(MARTA, "A code", "ABCD-EFGH")

    with pytest.raises(SystemRefused, match="can't be relied on: self"):
        send()
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(SystemRefused, match="user name and password") as wrong:
        send("guessed")
    assert "guessed" not in str(wrong.value)
    assert box.taken == []

    send()
    assert box.taken == [MARTA]
