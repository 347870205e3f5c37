"""Whoever was erased is nowhere any more: not in the ledger, its keyring, its backups, nor in what Prefect kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.conftest import Company, private_words
from tests.flows.prefect_server import Prefect
from tests.flows.test_flows import run

#: What the person gave us to read, and keeps: no record of ours.
GIVEN = {"roster.csv", "payments.yaml"}


def kept_here(folder: Path) -> str:
    """Every file that working in this folder left, byte for byte."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name not in GIVEN]
    return "\n".join(file.read_bytes().decode("latin-1") for file in files)


def test_whoever_was_erased_is_nowhere_any_more(
    prefect: Prefect, company: Company, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    company.record("nda_signed")
    run("discovery", company.marta)
    company.approve()
    company.sandbox.fault("slack", "forbidden", path="conversations.invite", times=1)
    run("discovery", company.marta)
    company.sandbox.accept("marta")
    for words in (
        ("person", "hold", "marta", "--because=Marta Kowalska wrote to us"),
        ("person", "release", "marta"),
        ("ledger", "backup", "before.db"),
        ("ledger", "export", "-o", "journal.jsonl"),
    ):
        assert company.onboard(*words).exit_code == 0
    run("offboarding", company.marta)
    prefect.log_of(prefect.runs_about(company.marta)[-1]["id"])

    erased = company.onboard("person", "erase", "marta", "--yes")

    assert erased.exit_code == 0, erased.output
    told = prefect.everything_kept()
    raw = "".join(file.read_bytes().decode("latin-1") for file in prefect.folder.glob("prefect.db*"))
    here = kept_here(tmp_path)
    assert company.marta not in (tmp_path / "ledger-people.keys").read_text()
    assert company.ids["ada"] in (tmp_path / "ledger-people.keys").read_text()
    assert company.marta in told
    assert company.marta in here
    kept = {"Prefect's records": told, "its database's pages": raw, "this folder": here, "the log": caplog.text}
    assert [(where, found) for where, text in kept.items() if (found := theirs(company, text))] == []


def theirs(company: Company, text: str) -> set[str]:
    """What of the person stands in a text, as a word of its own."""
    them = company.sandbox.person("marta")
    words = {them.name, *them.name.split(), them.email, them.github["login"], str(them.github["id"])}
    words |= {*map(str, them.jira.values()), them.slack["id"]}
    return private_words(company.sandbox, text) & words
