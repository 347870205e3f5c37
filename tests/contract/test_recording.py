"""What the sandbox keeps of a conversation while it is asked to record."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from onboard.sandbox.client import SandboxClient


def control(sandbox: SandboxClient, *on: bool) -> dict[str, Any]:
    url = f"{sandbox.ready['control']}/_sandbox/recording"
    answer = requests.post(url, json={"on": on[0]}, timeout=10) if on else requests.get(url, timeout=10)
    return dict(answer.json())


def ask(sandbox: SandboxClient) -> None:
    at = sandbox.github
    headers = {"Authorization": f"Bearer {at['token']}"}
    requests.get(f"{at['base_url']}/orgs/acme/members", {"per_page": 1}, headers=headers, timeout=10)


def test_nothing_is_kept_until_it_is_switched_on(sandbox: SandboxClient) -> None:
    ask(sandbox)

    assert control(sandbox) == {"on": False, "exchanges": []}


def test_whole_requests_and_answers_are_kept_and_no_credentials(sandbox: SandboxClient) -> None:
    control(sandbox, True)
    ask(sandbox)
    control(sandbox, False)
    ask(sandbox)

    [kept] = control(sandbox)["exchanges"]
    assert (kept["path"], kept["query"], kept["status"]) == ("/orgs/acme/members", "per_page=1", 200)
    assert '"login"' in kept["answered"]
    assert sandbox.github["token"] not in str(kept)


def test_an_answer_that_a_fault_withholds_is_kept_all_the_same(sandbox: SandboxClient) -> None:
    control(sandbox, True)
    sandbox.fault("github", "drop-after", times=1)
    with pytest.raises(requests.ConnectionError):
        ask(sandbox)

    [kept] = control(sandbox)["exchanges"]
    assert (kept["fault"], kept["status"]) == ("drop-after", 200)


def test_a_reset_ends_the_recording(sandbox: SandboxClient) -> None:
    control(sandbox, True)
    ask(sandbox)
    sandbox.reset()

    assert control(sandbox) == {"on": False, "exchanges": []}
