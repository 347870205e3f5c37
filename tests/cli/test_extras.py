"""onboard request, requests, break-glass and sweep as they are typed: what is said, and what is next."""

from __future__ import annotations

import shutil
from typing import Any

from onboard.ledger import Ledger
from onboard.wiring import starter_policies
from tests.cli.house import House, next_command

API = "github:repo:acme/payments-api"


def narrow(text: str) -> bool:
    """Whether every line but the command to be copied fits 80 columns."""
    return all(len(line) <= 80 for line in text.splitlines() if not line.startswith("Next:"))


def test_a_request_is_asked_seen_approved_and_withdrawn(house: House) -> None:
    house.settle()
    made = house("request", "marta", API, "--level=push", "--for=1h30m", "--because=a fix", by="marta", code=6)
    assert "Request " in made.stdout
    assert "until 20" in made.stdout
    assert narrow(made.stdout)

    listed = house("requests")
    assert "because  a fix" in " ".join(listed.stdout.split("\n")).replace("because   ", "because  ")
    assert "Vault login" in listed.stdout or "vault login" in listed.stdout
    assert narrow(listed.stdout)
    (one,) = house.json("requests")
    assert (one["level"], one["because"], one["holds"]) == ("push", "a fix", True)
    assert next_command(listed) == ["approve", one["plan"][:8]]

    house("approve", one["plan"], by="marta", code=3)
    house("approve", one["plan"], by="ada")
    house("apply", one["plan"])
    (right,) = [line for line in house.json("access", "marta")["held"] if line["resource"] == API]
    assert (right["level"], right["until"], right["source"]) == ("push", one["until"], f"ledger:{one['id']}")
    assert f"until {one['until'][:10]} {one['until'][11:16]} UTC" in house("explain", "marta", API).stdout

    house("request", "--withdraw", str(one["id"]), by="marta")
    assert "repo:acme/payments-api push" not in house.held("marta")
    assert "over since" in house("requests", "--all").stdout
    assert "Nothing that is over is held any more." in house("sweep").stdout


def test_what_is_missing_is_said_together_and_nothing_is_recorded(house: House) -> None:
    told = house("request", "marta", API, "--for=soon", by="marta", code=2).stderr

    for word in ("--level is missing", "--because is missing", "--for is 'soon'"):
        assert word in told
    house("request", "marta", API, "--level=push", "--for=1h", "--because=x", code=3)
    assert house.json("requests", "--all") == []


def test_nobody_breaks_the_glass_as_shipped(house: House) -> None:
    house.settle()

    told = house("break-glass", "marta", API, "--level=push", "--because=down", by="marta", code=3)

    assert "No rule permits anybody to break the glass" in told.stderr


def test_the_reason_stands_nowhere_but_under_the_persons_key(house: House) -> None:
    house.settle()
    house("request", "marta", API, "--level=push", "--for=1h", "--because=of Zebedee", by="marta", code=6)

    ledger = Ledger.open(f"sqlite:///{house.folder / 'onboard.db'}", lambda: None)  # type: ignore[arg-type, return-value]
    journal = "".join(entry.line() for entry in ledger.journal.entries())
    ledger.close()

    assert "Zebedee" not in journal
    assert "Zebedee" in house("requests").stdout


def test_a_broken_glass_says_until_when_and_who_reviews_it(house: House) -> None:
    house.settle()
    policies = house.folder / "emergency"
    shutil.copytree(starter_policies(), policies)
    rule = f'@id("glass") @because("b") @owner("{house.ids["ada"]}")'
    (policies / "authority" / "glass.cedar").write_text(
        f'{rule} permit (principal, action == Action::"break_glass", resource);'
    )
    told: Any = {"ONBOARD_POLICIES": str(policies), "ONBOARD_ALARMS__TELL": f"file:{house.folder / 'alarms'}"}
    words = ("break-glass", "marta", API, "--level=push", "--because=down")

    made = house(*words, by="marta", **told)

    assert "Break-glass " in made.stdout
    assert "Ada Berg: review the break-glass: push" in " ".join(made.stdout.split())
    assert narrow(made.stdout)
    assert "repo:acme/payments-api push" in house.held("marta")
    assert "took push" in (house.folder / "alarms").read_text()
    assert "Review the break-glass" in house("tasks").stdout
    assert "Nothing waits for you." in house("inbox", by="ada").stdout
    longer = house(*words, "--for=2h", by="marta", code=2, **told)
    assert "1 h at most" in longer.stderr
