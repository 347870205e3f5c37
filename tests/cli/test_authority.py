"""Who may do what, as it is typed: delegates, teams, rules of one's own, and policies that can't be read."""

from __future__ import annotations

import shutil
from pathlib import Path

from onboard.wiring import starter_policies
from tests.cli.house import House, in_days, next_command


def policies(folder: Path, **changed: str) -> Path:
    """The starter policies in a folder, with rules of authority added or replaced."""
    made = Path(shutil.copytree(starter_policies(), folder / "own"))
    for name, text in changed.items():
        (made / "authority" / f"{name}.cedar").write_text(text, encoding="utf-8")
    return made


def test_a_delegate_is_named_listed_approves_after_seeing_the_lines_and_is_taken_back(house: House) -> None:
    digest = house.start()
    refused = house("delegate", "add", "ada", "--to", "lena", "--until", in_days(7), code=3)
    assert "No rule permits you to name a delegate" in refused.stderr

    house("delegate", "add", "ada", "--to", "lena", "--until", in_days(7), "--for", "payments", by="ada")

    (listed,) = house.json("delegate", "list")
    assert (listed["person"], listed["to"]) == (house.ids["ada"], house.ids["lena"])
    inbox = house("inbox", by="lena")
    assert "org acme" in inbox.stdout
    approved = house("approve", digest, by="lena")
    assert approved.stdout.index("org acme") < approved.stdout.index("approved plan")
    assert "as delegate of Ada Berg" in house("plan", "--person=marta", code=6).stdout
    house("delegate", "end", "ada", "--to", "lena", by="ada")
    assert "Nobody is anybody's delegate now." in house("delegate", "list").stdout
    house(*next_command(approved))


def test_teams_are_a_manifest_of_which_every_mistake_is_named(house: House) -> None:
    ids = house.ids
    (house.folder / "teams.yaml").write_text(
        f"teams:\n  team-payment: [{ids['lena']}]\n  team-data: [lena]\n  team-platform: [p-{'0' * 32}]\n"
    )
    wrong = house("engagement", "load", "teams.yaml", code=2).stderr
    for said in (
        "teams.yaml:2  team-payment owns nothing",
        "Did you mean team-payments?",
        ":3  team-data names 'lena'",
    ):
        assert said in wrong
    assert "who is nobody on record" in wrong

    (house.folder / "teams.yaml").write_text(f"teams:\n  team-payments: [{ids['lena']}]\n")
    assert "1 manifest loaded." in house("engagement", "load", "teams.yaml").stdout
    assert "Nothing changed: 1 manifest as on record." in house("engagement", "load", "teams.yaml").stdout


def test_policies_that_can_not_be_read_hold_up_no_removal(house: House, tmp_path: Path) -> None:
    house.settle()
    broken = str(policies(tmp_path, own="permit everything;"))
    house("plan", code=2, ONBOARD_POLICIES=broken)

    left = house("cutoff", "marta", "--yes", ONBOARD_POLICIES=broken)

    assert "the ones last in force" in left.stderr
    assert "own.cedar:1" in left.stderr
    assert house.held("marta") == []


def test_with_the_rule_of_the_local_shell_deleted_people_and_manifests_are_entered_by_who_is_logged_in(
    house: House, tmp_path: Path
) -> None:
    text = (starter_policies() / "authority" / "who-may.cedar").read_text(encoding="utf-8")
    begin = text.index('@id("the-local-shell")')
    without = text[:begin] + text[text.index(";", begin) + 1 :]
    strict = str(policies(tmp_path, **{"who-may": without}))
    mallory = ("person", "add", "Mallory Moss", "--email", "mallory@elsewhere.example")

    refused = house(*mallory, code=3, ONBOARD_POLICIES=strict)
    assert "Log in first" in refused.stderr
    assert len(house.json("person", "list")) == len(house.ids)
    assert "rule only-the-companys-own-people" in house(*mallory, by="viktor", code=3, ONBOARD_POLICIES=strict).stderr

    house(*mallory, by="ada", ONBOARD_POLICIES=strict)
    assert len(house.json("person", "list")) == len(house.ids) + 1

    (house.folder / "teams.yaml").write_text(f"teams:\n  team-payments: [{house.ids['lena']}]\n")
    teams = ("engagement", "load", "teams.yaml")
    assert "Log in first" in house(*teams, code=3, ONBOARD_POLICIES=strict).stderr
    assert "1 manifest loaded." in house(*teams, by="ada", ONBOARD_POLICIES=strict).stdout
