"""No command that writes goes without a story: who adds one, adds what strikes it."""

from __future__ import annotations

from collections.abc import Iterator

import typer
from typer.core import TyperGroup

from onboard.cli.main import app
from tests.crash.stories import STORIES

#: By which stories each command is struck; the flows do what these commands do.
STRUCK: dict[str, tuple[str, ...]] = {
    "person add": ("enter a person",),
    "person import": ("import a roster",),
    "person set": ("change a handle",),
    "person confirm": ("prove an account",),
    "person hold": ("hold",),
    "person release": ("release",),
    "person erase": ("erase",),
    "person retain": ("retain",),
    "engagement load": ("load a manifest",),
    "engagement adopt": ("adopt",),
    "ledger checkpoint": ("checkpoint",),
    "start": ("start", "start everyone", "bind everybody"),
    "record": ("record",),
    "plan": ("take back", "grant by rule"),
    "approve": ("approve and apply",),
    "refuse": ("refuse",),
    "apply": ("apply",),
    "listen": ("answer in Slack",),
    "notify": ("answer in Slack",),
    "delegate add": ("delegate",),
    "delegate end": ("end a delegation",),
    "advance": ("advance", "full operation"),
    "change-role": ("change role",),
    "offboard": ("offboard", "offboard from one", "offboard whom nobody accepted", "offboard a sponsor"),
    "cutoff": ("cut off", "cut off a vendor"),
    "tasks done": ("finish a task",),
    "restore": ("restore",),
    "request": ("request", "withdraw a request"),
    "break-glass": ("break the glass",),
    "sweep": ("sweep",),
    "review": ("night",),
}
#: What gives and takes nothing: it reads, or writes files of its own. How a ledger is begun, moved and brought up to
#: date is struck by the tests of tests/ledger/storage.
HARMLESS = frozenset(
    {"access", "who", "explain", "plans", "inbox", "requests", "tasks", "doctor", "init", "import", "demo", "sandbox"}
    | {"person list", "person show", "person export", "engagement list", "engagement show", "delegate list"}
    | {"policy check", "policy test", "policy impact", "policy suggest", "export access", "export changes"}
    | {f"ledger {name}" for name in ("verify", "key", "export", "init", "upgrade", "backup", "restore")}
)


def names(command: object, above: str = "") -> Iterator[str]:
    """Every command that can be typed."""
    if not isinstance(command, TyperGroup):
        yield above
        return
    if command.invoke_without_command and above:
        yield above
    for name, below in command.commands.items():
        yield from names(below, f"{above} {name}".strip())


def test_every_command_that_writes_is_struck_by_a_story_and_every_story_strikes_one() -> None:
    assert set(names(typer.main.get_command(app))) == {*STRUCK, *HARMLESS}
    assert {name for stories in STRUCK.values() for name in stories} == STORIES.keys()
    assert not STRUCK.keys() & HARMLESS
