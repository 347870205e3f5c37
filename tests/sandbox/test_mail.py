"""The sandbox's mail server: real SMTP, nothing delivered, everything shown, faults on order."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from onboard.sandbox.client import SandboxClient, SandboxProcess


def send(sandbox: SandboxClient, to: str = "marta@nordwind.example", text: str = "Grüße") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "onboard@acme.example", to, "A code"
    message.set_content(text)
    mail = sandbox.ready["mail"]
    with smtplib.SMTP(mail["host"], mail["port"], timeout=10) as server:
        server.send_message(message)


def texts(sandbox: SandboxClient, to: str | None = None) -> list[str]:
    return [message["text"].strip() for message in sandbox.mail(to)]


def test_what_was_sent_to_an_address_can_be_read(sandbox: SandboxClient) -> None:
    send(sandbox)
    send(sandbox, "jonas@nordwind.example", "Another")

    (message,) = sandbox.mail("Marta@nordwind.example")
    assert (message["from"], message["to"]) == ("onboard@acme.example", ["marta@nordwind.example"])
    assert (message["subject"], message["text"].strip()) == ("A code", "Grüße")
    assert texts(sandbox) == ["Grüße", "Another"]


def test_a_message_whose_answer_was_lost_has_come_all_the_same(sandbox: SandboxClient) -> None:
    sandbox.fault("mail", "drop-after", method="DATA", times=1)

    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(sandbox)

    assert texts(sandbox) == ["Grüße"]


@pytest.mark.parametrize(
    ("kind", "method", "error"),
    [
        ("forbidden", "RCPT", smtplib.SMTPRecipientsRefused),
        ("500", "DATA", smtplib.SMTPDataError),
        ("drop-before", "DATA", smtplib.SMTPServerDisconnected),
    ],
)
def test_a_message_that_meets_a_fault_does_not_come(
    sandbox: SandboxClient, kind: str, method: str, error: type[Exception]
) -> None:
    sandbox.fault("mail", kind, method=method, path="^marta@", times=1)

    with pytest.raises(error):
        send(sandbox)

    assert texts(sandbox) == []
    send(sandbox)
    assert texts(sandbox) == ["Grüße"]


def test_messages_outlive_a_restart_and_not_a_reset(tmp_path: Path) -> None:
    with SandboxProcess(data=tmp_path / "data") as first:
        send(first)
    with SandboxProcess(data=tmp_path / "data") as second:
        assert texts(second) == ["Grüße"]
        second.reset()
        assert texts(second) == []
