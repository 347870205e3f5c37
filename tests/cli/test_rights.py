"""What people may ask for who are kept here: everything that is held about them, and to be forgotten."""

from __future__ import annotations

import json
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onboard.sandbox.client import SandboxClient
from tests.cli.house import House, in_days
from tests.cli.test_past import now

REPO = "github:repo:acme/payments-api"


@pytest.fixture
def left(house: House) -> House:
    """Marta came and left; her contract, the sponsor and the colleagues are still there."""
    house.settle("marta")
    house("offboard", "marta", "--yes")
    return house


def traces(house: House, sandbox: SandboxClient, who: str = "marta") -> set[str]:
    """What of a person stands in the ledger's files in clear."""
    them = sandbox.person(who)
    words = {them.name, them.email, *them.name.split(), str(them.github["id"]), *map(str, them.jira.values())}
    words |= {them.github["login"], them.slack["id"], them.vault["username"]}
    content = b"".join(path.read_bytes() for path in house.folder.glob("onboard[.-]*"))
    return {word for word in words if stands_in(word, content)} - {who}


def stands_in(word: str, content: bytes) -> bool:
    """Whether a word is there. A number has to stand alone: five digits come up by chance within hashes and times."""
    pattern = rb"(?<![\w+/])" + word.encode() + rb"(?![\w+/])" if word.isdigit() else re.escape(word.encode())
    return re.search(pattern, content, re.IGNORECASE) is not None


def test_whoever_still_works_here_is_not_erased(house: House) -> None:
    house.settle("marta")

    told = house("person", "erase", "marta", "--yes", code=3).stderr

    assert "They work in engagement payments" in told
    assert "rights on github" in told
    assert "onboard offboard" in told
    assert house.json("person", "show", "marta")["name"] == "Marta Kowalska"


def test_whoever_answers_for_an_engagement_is_not_erased(house: House) -> None:
    assert "answer for engagement payments" in house("person", "erase", "ada", "--yes", code=3).stderr


def test_a_legal_hold_stands_in_the_way_until_it_is_released(left: House) -> None:
    left("person", "hold", "marta", "--because=case 4711")

    told = left("person", "erase", "marta", "--yes", code=3).stderr
    assert "A legal hold is on them since" in told
    assert "(case 4711)" in told

    left("person", "release", "marta")
    left("person", "erase", "marta", "--yes")

    assert "Nobody here is called" in left("person", "show", "Marta", code=2).stderr


def test_what_cant_be_read_keeps_a_person_from_being_erased(left: House, sandbox: SandboxClient) -> None:
    sandbox.fault("jira", "500", times=50)

    told = left("person", "erase", "marta", "--yes", code=5).stderr

    assert "so nothing was erased" in told
    assert left.json("person", "show", "marta")["name"] == "Marta Kowalska"


def test_the_erased_leave_no_trace_and_the_journal_is_whole(left: House, sandbox: SandboxClient) -> None:
    left("person", "hold", "marta", "--because=Marta Kowalska wrote to us")
    left("person", "release", "marta")
    digits = left.ids["marta"][:10]

    left("person", "erase", "marta", "--yes")

    assert traces(left, sandbox) == set()
    assert "The journal is whole" in left("ledger", "verify").stdout
    assert "Nobody here is called" in left("explain", digits, REPO, code=2).stderr


def test_life_goes_on_after_somebody_was_erased(left: House) -> None:
    held = now()
    left("person", "erase", "marta", "--yes")

    left("start", "jonas", code=6)
    left("record", "jonas", "nda_signed", f"--until={in_days(90)}", code=6)
    left("person", "list")
    left("review")
    left("review", "--correct")
    rows = left("export", "changes", "--format=jsonl").stdout.splitlines()

    assert {json.loads(row)["person"] for row in rows} == {left.ids["marta"]}
    assert left.json("who", REPO, "--as-of", held)["held"] == []
    left("plans")


def test_an_export_is_everything_that_is_held_and_for_its_owner_only(left: House, tmp_path: Path) -> None:
    left("person", "hold", "marta", "--because=case 4711")
    them = left.sandbox.person("marta")

    left("person", "export", "marta", "-o", str(tmp_path))

    data, page = (tmp_path / f"{left.ids['marta'][:10]}.{end}" for end in ("json", "html"))
    held = json.loads(data.read_text(encoding="utf-8"))
    assert (held["name"], held["email"]) == (them.name, them.email)
    assert {a["system"] for a in held["accounts"]} == {"github", "jira", "slack", "vault"}
    assert str(them.github["id"]) in json.dumps(held["accounts"])
    assert "case 4711" in json.dumps(held["kept"])
    assert {row["action"] for row in held["access"]} == {"grant", "revoke"}
    assert {e["kind"] for e in held["entries"]} >= {"fact", "intended", "proposed", "verified"}
    assert left.ids["jonas"] not in data.read_text(encoding="utf-8")
    assert "Marta Kowalska" in page.read_text(encoding="utf-8")
    assert {stat.S_IMODE(file.stat().st_mode) for file in (data, page)} == {0o600}
    assert "isn't overwritten" in left("person", "export", "marta", "-o", str(tmp_path), code=2).stderr


def test_what_somebody_is_called_is_text_on_the_page(house: House, tmp_path: Path) -> None:
    house("person", "set", "marta", "--name=<b>Marta</b>")

    house("person", "export", house.ids["marta"], "-o", str(tmp_path))

    (page,) = tmp_path.glob("*.html")
    assert "&lt;b&gt;Marta&lt;/b&gt;" in page.read_text(encoding="utf-8")


def test_what_was_kept_long_enough_is_erased_and_not_before(left: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Nothing ends by itself" in left("person", "retain").stdout
    assert "Erased 0 people" in left("person", "retain", ONBOARD_RETENTION__LEFT_DAYS="30").stdout
    later = datetime.now(UTC) + timedelta(days=32)
    monkeypatch.setattr("onboard.cli.context.clock", lambda: later)
    left("person", "hold", "marta", "--because=case 4711")
    assert "Erased 0 people" in left("person", "retain", ONBOARD_RETENTION__LEFT_DAYS="30").stdout
    left("person", "release", "marta")

    assert "Erased 1 person." in left("person", "retain", ONBOARD_RETENTION__LEFT_DAYS="30").stdout

    assert "Nobody here is called" in left("person", "show", "Marta", code=2).stderr
    assert left.json("person", "show", "jonas")["name"] == "Jonas Lind"


def test_notes_end_before_their_person_does(left: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    left("person", "hold", "marta", "--because=case 4711")
    left("person", "release", "marta")
    later = datetime.now(UTC) + timedelta(days=32)
    monkeypatch.setattr("onboard.cli.context.clock", lambda: later)

    left("person", "retain", ONBOARD_RETENTION__NOTES_DAYS="30")

    assert left.json("person", "export", "marta")["name"] == "Marta Kowalska"
    assert "case 4711" not in left("person", "export", "marta", "--json").stdout
