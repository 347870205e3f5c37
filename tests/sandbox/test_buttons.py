"""Messages with buttons in the simulated Slack, and what pressing one sends."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from onboard.errors import SystemFailed
from onboard.sandbox.client import SandboxClient

BLOCKS = [
    {
        "type": "actions",
        "elements": [
            {"type": "button", "action_id": name, "value": "7f3a", "text": {"type": "plain_text", "text": name}}
            for name in ("approve", "refuse")
        ],
    }
]


@pytest.fixture
def slack(sandbox: SandboxClient) -> WebClient:
    return WebClient(token=sandbox.slack["bot_token"], base_url=sandbox.slack["base_url"])


class Heard(list[tuple[dict[str, str], bytes]]):
    """Requests, headers and body, and the address that they came to."""

    address = ""


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What a listener is sent."""
    sent = Heard()

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append((dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    sent.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield sent
    server.shutdown()
    server.server_close()


def ask(slack: WebClient, sandbox: SandboxClient, person: str = "ada") -> tuple[str, str]:
    """Post a message with two buttons to a person; its channel and ts."""
    user = sandbox.person(person).slack["id"]
    channel = slack.conversations_open(users=user)["channel"]["id"]
    metadata = {"event_type": "asked", "event_payload": {"digest": "7f3a"}}
    posted = slack.chat_postMessage(channel=channel, text="May she?", blocks=BLOCKS, metadata=metadata)
    return channel, posted["ts"]


def test_a_message_with_buttons_is_read_by_its_person_and_found_again_by_its_metadata(
    slack: WebClient, sandbox: SandboxClient
) -> None:
    channel, ts = ask(slack, sandbox)

    (message,) = sandbox.messages("ada")
    assert (message["ts"], message["buttons"]) == (ts, ["approve", "refuse"])
    assert sandbox.messages("piet") == []
    found = slack.conversations_history(channel=channel, include_all_metadata=True)["messages"]
    assert [(m["ts"], m["metadata"]["event_payload"]) for m in found] == [(ts, {"digest": "7f3a"})]


def test_a_changed_message_has_lost_its_buttons(slack: WebClient, sandbox: SandboxClient) -> None:
    channel, ts = ask(slack, sandbox)

    slack.chat_update(channel=channel, ts=ts, text="She may.", blocks=[])

    (message,) = sandbox.messages("ada")
    assert (message["text"], message["buttons"]) == ("She may.", [])
    with pytest.raises(SystemFailed, match="sees no button"):
        sandbox.press("ada", "approve", "http://127.0.0.1:1")


def test_nobody_changes_another_ones_message(slack: WebClient, sandbox: SandboxClient) -> None:
    channel, ts = ask(slack, sandbox)
    ada = WebClient(token=sandbox.person("ada").slack["token"], base_url=sandbox.slack["base_url"])

    with pytest.raises(SlackApiError, match="cant_update_message"):
        ada.chat_update(channel=channel, ts=ts, text="Mine")


def test_a_press_is_signed_and_the_reply_is_seen_by_whoever_pressed(
    slack: WebClient, sandbox: SandboxClient, heard: Heard
) -> None:
    ask(slack, sandbox)

    assert sandbox.press("ada", "approve", heard.address) == 200

    ((headers, body),) = heard
    verifier = SignatureVerifier(sandbox.env["ONBOARD_LISTEN__SLACK_SIGNING_SECRET"])
    assert verifier.is_valid_request(body, headers)
    payload = json.loads(parse_qs(body.decode())["payload"][0])
    assert payload["user"]["id"] == sandbox.person("ada").slack["id"]
    assert payload["actions"][0]["value"] == "7f3a"
    requests.post(payload["response_url"], json={"response_type": "ephemeral", "text": "Done."}, timeout=5)
    assert [message["text"] for message in sandbox.messages("ada")] == ["May she?", "Done."]


def test_the_sandbox_sends_nothing_to_other_machines(slack: WebClient, sandbox: SandboxClient) -> None:
    ask(slack, sandbox)

    with pytest.raises(SystemFailed, match="isn't on this machine"):
        sandbox.press("ada", "approve", "http://listener.example")
    with pytest.raises(SystemFailed, match="nobody answers"):
        sandbox.press("ada", "approve", "http://127.0.0.1:1")
