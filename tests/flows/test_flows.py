"""Each flow end to end, in this process: what it does to the systems, what it ends in, and what Prefect keeps of it."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from onboard.ledger.projections.extras import requested, withdrawn
from onboard.model import Resource
from tests.flows.conftest import Company, private_words
from tests.flows.prefect_server import Prefect

OPEN_FILES = Path("/proc/self/fd")


def run(name: str, *parameters: str) -> Any:
    """A flow's final state."""
    from onboard.flows.access_review import access_review
    from onboard.flows.discovery import discovery
    from onboard.flows.offboarding import offboarding
    from onboard.flows.onboarding import onboarding
    from onboard.flows.ramp_up import ramp_up
    from onboard.flows.role_change import role_change
    from onboard.flows.sweep import sweep
    from onboard.flows.tooling_setup import tooling_setup

    flows = (discovery, tooling_setup, ramp_up, onboarding, role_change, offboarding, access_review, sweep)
    return {flow.name: flow for flow in flows}[name](*parameters, return_state=True)


def test_one_failing_system_fails_the_run_and_the_others_are_done(prefect: Prefect, company: Company) -> None:
    company.record("nda_signed")
    run("discovery", company.marta)
    company.approve()
    company.sandbox.fault("slack", "forbidden", path="conversations.invite")

    state = run("discovery", company.marta)

    assert (state.name, state.is_failed()) == ("SystemFailed", True)
    assert "5 granted" in state.message
    assert "1 failed" in state.message
    assert "repo:acme/payments-api pull" in company.held("github")
    assert "project:PAY Viewers" in company.held("jira")
    assert "FAILED" in prefect.artifact(f"discovery-{company.marta[2:10]}")["data"]
    company.sandbox.clear_faults()
    assert run("discovery", company.marta).name == "Done"
    assert "channel:onboarding member" in company.held("slack")


def test_a_system_that_cannot_be_read_is_unknown_and_nothing_is_changed_there(
    prefect: Prefect, company: Company
) -> None:
    company.record("nda_signed")
    run("discovery", company.marta)
    company.sandbox.fault("jira", "forbidden")

    state = run("discovery", company.marta)

    assert state.name == "SystemFailed"
    assert "unknown" in state.message
    assert company.held("jira") == set()
    assert "nothing is changed there" in prefect.artifact(f"discovery-{company.marta[2:10]}")["data"]


def test_a_shut_gate_waits_and_says_which_facts_open_it(prefect: Prefect, company: Company) -> None:
    run("discovery", company.marta)

    state = run("tooling-setup", company.marta)

    assert (state.name, state.is_completed()) == ("Waiting", True)
    assert f"onboard record {company.marta[:10]} knowledge_transfer_done" in state.message
    assert "knowledge_transfer_done" in prefect.artifact(f"tooling-setup-{company.marta[2:10]}")["data"]


def test_a_person_whom_nobody_entered_is_bad_input(prefect: Prefect, company: Company) -> None:
    nobody = "p-" + "0" * 32

    state = run("discovery", nobody)

    assert (state.name, state.is_failed()) == ("BadInput", True)
    (kept,) = prefect.runs_about(nobody)
    assert kept["name"] == "discovery p-0000…"


def test_a_policy_that_does_not_hold_together_is_bad_input(
    prefect: Prefect, company: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    monkeypatch.setenv("ONBOARD_POLICIES", str(tmp_path / "broken"))

    assert run("access-review").name == "BadInput"


def test_a_fault_of_ours_fails_the_run_without_its_text(
    prefect: Prefect, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    from onboard.flows.running import concluded, named
    from prefect import flow

    secret, name = company.sandbox.github["token"], company.sandbox.person("marta").name
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    @flow(name="faulty", flow_run_name=named("faulty"), retries=0, persist_result=False)
    def faulty(person: str) -> Any:
        def step(services: Any, actor: Any) -> Any:
            raise KeyError(f"{secret} of {name}")

        return concluded(step, "faulty", person, "operator")

    state: Any = faulty(company.marta, return_state=True)

    assert (state.name, state.is_failed()) == ("Failed", True)
    assert re.search(r"KeyError at test_flows.py:\d+\. That is a fault of onboard's", state.message)
    (run,) = prefect.runs_about(company.marta)
    log = prefect.log_of(run["id"])
    assert "Traceback" in log
    assert "in step" in log
    assert secret not in prefect.everything_kept()
    (kept,) = tmp_path.glob("onboard-fault-*.txt")
    assert secret in kept.read_text(encoding="utf-8")
    assert kept.stat().st_mode & 0o077 == 0


def test_what_discovery_gives_waits_for_approval_and_a_second_run_writes_nothing(
    prefect: Prefect, company: Company
) -> None:
    company.record("nda_signed")

    first = run("discovery", company.marta)
    entries = company.entries()
    second = run("discovery", company.marta)

    assert (first.name, first.is_completed()) == ("Waiting", True)
    assert re.search(r"6 wait for approval · open: [0-9a-f]{8}$", first.message)
    assert (second.name, second.message) == (first.name, first.message)
    assert company.entries() == entries
    assert company.sandbox.writes() == []


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="only Linux lists a process's open files")
def test_a_flow_closes_the_ledger_that_it_opened(prefect: Prefect, company: Company) -> None:
    run("onboarding", company.marta)
    run("access-review")

    opened = [os.path.realpath(path) for path in OPEN_FILES.iterdir()]
    assert [path for path in opened if "ledger.db" in path] == []


def test_a_run_is_named_by_role_and_person_and_leaves_its_plan(prefect: Prefect, company: Company) -> None:
    company.record("nda_signed")

    run("discovery", company.marta, "payments", company.ids["ada"])

    (kept,) = prefect.runs_about(company.marta)
    assert kept["name"] == f"discovery backend-engineer {company.marta[:6]}…"
    assert kept["parameters"] == {
        "person": company.marta,
        "engagement": "payments",
        "requested_by": company.ids["ada"],
    }
    assert kept["empirical_policy"]["retries"] == 0
    page = prefect.artifact(f"discovery-{company.marta[2:10]}")
    assert page["flow_run_id"] == kept["id"]
    assert "| + | github | repo acme/payments-api | pull | discovery, backend-engineer.yaml:" in page["data"]
    assert "6 wait for approval" in page["data"]


def test_approved_it_is_applied_and_applied_it_is_done(prefect: Prefect, company: Company) -> None:
    company.record("nda_signed")
    run("discovery", company.marta)
    company.approve()

    assert run("discovery", company.marta).name == "Done"
    assert "project:PAY Viewers" in company.held("jira")
    mark = company.sandbox.requests()[-1]["n"]
    assert run("discovery", company.marta).name == "Done"
    assert company.sandbox.writes(since=mark) == []


def test_onboarding_goes_phase_by_phase_as_far_as_facts_and_approvals_allow(prefect: Prefect, company: Company) -> None:
    company.record("nda_signed", "knowledge_transfer_done", "security_training", "tooling_verified")
    before_the_milestones = _onboarding(company)
    company.record("first_merge", "ramp_up_review")
    at_the_end = _onboarding(company)

    assert before_the_milestones[0] == "Waiting"
    assert "ramp-up ends once these are recorded: first_merge, ramp_up_review" in before_the_milestones[1]
    assert at_the_end == ("Done", "all three phases are done: full operation")
    events = [run["name"].partition(" ")[0] for run in prefect.runs_about(company.marta)]
    assert list(dict.fromkeys(events)) == ["onboarding", "discovery", "tooling-setup", "ramp-up"]
    assert "team:acme/payments-engineers member" in company.held("github")
    page = prefect.artifact(f"onboarding-{company.marta[2:10]}")["data"]
    assert "| full-operation | Done |" in page
    mark = company.sandbox.requests()[-1]["n"]
    assert run("onboarding", company.marta).name == "Done"
    assert company.sandbox.writes(since=mark) == []


def _onboarding(company: Company) -> tuple[str, str]:
    """Run it until nothing that it proposes is left to approve; the name and message of its last state."""
    while True:
        state = run("onboarding", company.marta)
        if "wait for approval" not in state.message:
            return state.name, state.message
        company.approve()
        company.sandbox.accept("marta")


def test_a_role_change_takes_at_once_and_gives_once_approved(prefect: Prefect, company: Company) -> None:
    _in_discovery(company)

    state = run("role-change", company.marta, "qa-engineer")

    assert state.name == "Waiting"
    assert "repo:acme/payments-api pull" not in company.held("github")
    assert "repo:acme/e2e-tests pull" not in company.held("github")
    company.approve()
    assert run("role-change", company.marta, "qa-engineer").name == "Done"
    assert "repo:acme/e2e-tests pull" in company.held("github")
    assert prefect.runs_about(company.marta)[-1]["name"] == f"role-change qa-engineer {company.marta[:6]}…"


def test_offboarding_takes_everything_and_a_second_run_writes_nothing(prefect: Prefect, company: Company) -> None:
    _in_discovery(company)

    state = run("offboarding", company.marta)

    assert (state.name, state.message) == ("Done", "6 revoked")
    assert company.sandbox.holdings("marta") == []
    mark = company.sandbox.requests()[-1]["n"]
    assert run("offboarding", company.marta).name == "Done"
    assert company.sandbox.writes(since=mark) == []


def _in_discovery(company: Company) -> None:
    company.record("nda_signed")
    run("discovery", company.marta)
    company.approve()
    run("discovery", company.marta)
    company.sandbox.accept("marta")


def test_the_sweep_takes_back_what_is_over_and_says_how_much(prefect: Prefect, company: Company) -> None:
    company.record("nda_signed")
    push, ends = Resource.parse("github:repo:acme/payments-api"), datetime.now(UTC) + timedelta(hours=1)
    asked = company.note(requested(company.marta, "payments", push, "push", ends))
    run("discovery", company.marta)
    company.approve()
    run("discovery", company.marta)
    company.sandbox.accept("marta")
    assert run("sweep").message == "people 0 · taken back 0 · failed 0 · announced 0"
    company.note(withdrawn(company.marta, asked))

    state = run("sweep")

    assert (state.name, state.message) == ("Done", "people 1 · taken back 1 · failed 0 · announced 0")
    assert "repo:acme/payments-api pull" in company.held("github")


def test_the_review_ends_in_findings_and_names_nobody(prefect: Prefect, company: Company) -> None:
    first = run("access-review")
    second = run("access-review")

    assert (first.name, first.is_completed()) == ("Findings", True)
    counted = r"corrected 0 · new \d+ · still open 0 · resolved 0 · unknown 0 · signed to entry \d+$"
    assert re.match(counted, first.message)
    assert second.message.startswith("corrected 0 · new 0 · still open")
    assert company.sandbox.writes() == []
    page = prefect.artifact("access-review")["data"]
    assert "a stranger" in page
    assert "github:org:acme" in page
    assert "octo-admin" not in page


def test_a_witness_that_cannot_be_told_is_said_by_the_night_and_told_by_the_next(
    prefect: Prefect, company: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONBOARD_CHECKPOINTS__WITNESSES", f"file:{tmp_path / 'share' / 'w.jsonl'}")

    missed = run("access-review")
    (tmp_path / "share").mkdir()
    told = run("access-review")

    assert missed.name == "SystemFailed"
    assert re.search(r"signed to entry \d+, not told to 1 of 1$", missed.message)
    assert (told.name, told.message.endswith("not told to 1 of 1")) == ("Findings", False)
    assert len((tmp_path / "share" / "w.jsonl").read_text().splitlines()) == 1


def test_prefect_is_told_no_name_address_handle_or_secret(prefect: Prefect, company: Company) -> None:
    company.sandbox.fault("slack", "forbidden", path="conversations.invite")
    _in_discovery(company)
    run("onboarding", company.marta)
    run("role-change", company.marta, "no-such-role")
    run("access-review")
    run("offboarding", company.marta)
    last = prefect.runs_about(company.marta)[-1]
    prefect.log_of(last["id"])

    kept = prefect.everything_kept()

    assert company.marta in kept
    assert private_words(company.sandbox, kept) == set()
