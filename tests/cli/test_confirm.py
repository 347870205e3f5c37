"""`onboard person confirm`: a code is asked for, arrives, is typed in, and access follows."""

from __future__ import annotations

import re
import socket

from tests.cli.house import House, in_days, next_command

CODE = re.compile(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b")


def code_in(text: str) -> str:
    (code,) = set(CODE.findall(text))
    return str(code)


def mailed(house: House, who: str = "marta") -> str:
    return code_in(house.sandbox.mail(house.sandbox.person(who).email)[-1]["text"])


def accounts(house: House, who: str = "marta") -> dict[str, str]:
    return {line["system"]: line["proof"] for line in house.json("person", "show", who)["accounts"]}


def test_a_code_is_sent_typed_in_and_the_account_is_proven(house: House) -> None:
    asked = house("person", "confirm", "marta")

    assert CODE.search(asked.output) is None
    assert "A code was sent to marta@nordwind.example." in asked.stdout
    words = next_command(asked)
    assert words[-2:] == ["--code", "CODE"]
    done = house(*words[:-1], mailed(house), code=0)
    assert "Marta Kowalska's account on github is proven by work e-mail." in done.stdout
    assert accounts(house) == {"github": "work-email", "jira": "claimed", "slack": "claimed", "vault": "company-login"}
    assert f"proven by work e-mail on {in_days(0)}" in house("person", "show", "marta").stdout


def test_a_wrong_code_is_refused_and_says_how_many_tries_are_left(house: House) -> None:
    house("person", "confirm", "marta")

    refused = house("person", "confirm", "marta", "--system", "github", "--code", "AAAA-AAAA", code=3)

    assert "That isn't the code" in refused.stderr
    assert "tries left: 4" in refused.stderr
    assert accounts(house)["github"] == "claimed"


def test_what_is_proven_already_sends_nothing(house: House) -> None:
    house("person", "confirm", "marta")
    house("person", "confirm", "marta", "--code", mailed(house))

    again = house("person", "confirm", "marta")

    assert "proven by work e-mail already; there is nothing to do" in again.stdout
    assert len(house.sandbox.mail()) == 1


def test_without_a_mail_server_the_code_is_shown_with_whom_to_tell_it(house: House) -> None:
    none = {name: "" for name in house.sandbox.env if name.startswith("ONBOARD_MAIL__")}

    asked = house("person", "confirm", "marta", code=0, **none)

    assert "No mail server is configured, so here is the code, this once" in asked.stdout
    assert "Tell it to Marta Kowalska and nobody else" in " ".join(asked.stdout.split())
    house("person", "confirm", "marta", "--code", code_in(asked.stdout), code=0, **none)
    assert accounts(house)["github"] == "handed-over"
    assert "proven by a code handed over" in house("access", "marta").stdout


def test_a_mail_server_that_is_down_is_said_and_no_code_counts(house: House) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = str(closed.getsockname()[1])
        failed = house("person", "confirm", "marta", code=5, ONBOARD_MAIL__PORT=port)

    assert "mail: reaching it failed" in failed.stderr
    assert "No code was sent." in failed.stderr


def test_a_lost_answer_of_the_mail_server_says_that_the_code_may_have_gone(house: House) -> None:
    house.sandbox.fault("mail", "drop-after", method="DATA", times=1)

    failed = house("person", "confirm", "marta", code=5)

    assert "The code may have been sent all the same" in failed.stderr
    house("person", "confirm", "marta", "--code", mailed(house))


def test_a_handle_is_looked_up_as_it_is_entered_and_a_typing_error_is_said_at_once(house: House) -> None:
    entered = house("person", "set", "marta", "--github", "marta-nobody")

    assert "github: not bound yet: no account answers to the handle" in entered.stderr
    assert house("person", "set", "marta", "--github", "marta-nw").stderr == ""


def test_where_no_system_answers_people_are_entered_all_the_same(house: House) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = {"ONBOARD_GITHUB__BASE_URL": f"http://127.0.0.1:{closed.getsockname()[1]}"}
        result = house("person", "add", "Nia Nunes", "--email=nia@nordwind.example", "--github=nia", code=0, **nowhere)

    assert re.fullmatch(r"p-[0-9a-f]{32}", result.stdout.strip())
    assert "github: not bound yet: the account could not be looked up" in result.stderr


def test_a_claim_is_said_where_access_is_explained(house: House) -> None:
    house.settle()

    assert "Accounts: github claimed; jira claimed; slack claimed" in house("access", "marta").stdout
    told = house("explain", "marta", "github:repo:acme/payments-api").stdout
    assert re.search(r"account +claimed$", told, re.MULTILINE)
    assert house.json("explain", "marta", "github:repo:acme/payments-api")["proof"] == "claimed"


def test_what_policy_refuses_on_a_claim_is_proposed_once_it_is_proven(house: House) -> None:
    house.settle()
    for fact in ("knowledge_transfer_done", "security_training"):
        house("record", "marta", fact, code=0)
    house("change-role", "marta", "platform-engineer", code=6)
    house("record", "marta", "knowledge_transfer_done", code=6)
    refused = house("advance", "marta", code=3)
    assert "onboard person confirm p-" in " ".join(refused.output.split())

    house("person", "confirm", "marta")
    done = house("person", "confirm", "marta", "--code", mailed(house), code=6)

    assert "platform-infra" in done.stdout
    assert next_command(done)[0] == "approve"
