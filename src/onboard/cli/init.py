"""`onboard init`: a folder to begin in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from onboard.cli import output
from onboard.errors import BadInput, Problem

app = typer.Typer()

TEMPLATE = """\
# onboard's settings. Every key can also be given as a variable: ONBOARD_GITHUB__ORG, ONBOARD_LEDGER_URL, …
# Secrets never stand in this file. For each there is a variable (ONBOARD_GITHUB__TOKEN), a file that holds it
# (token_file = "/run/secrets/github"), or Vault (token = "vault:secret/data/onboard/github#token").
# Reading uses a credential of its own (read_token), which should not be able to write.

# ledger_url = "sqlite:///onboard.db"   # relative to this file; for several workers on several machines PostgreSQL:
#                                         ledger_url_file = "/run/secrets/ledger", with postgresql+psycopg://USER:PASSWORD@HOST/NAME
# policies = "policies"

# People's keys are kept apart from the ledger: in a file beside it (this machine's only), or in Vault, where several
# workers on several machines share them. Whoever has the one can't read names without the other.
# [ledger]
# keyring = "file"              # or "vault" (its key-value engine, version 2: "vault:MOUNT/FOLDER")
# keyring_file = "/var/lib/onboard/people.keys"

# A plan that takes away more than this on one system has to be approved as such.
# [limits]
# removals = 25
# fraction = 0.5       # of what those in the plan hold there …
# fraction_from = 10   # … counted from so many removals on

# How far the ledger goes is signed every night and on demand (onboard ledger checkpoint), by a key in a file beside the
# ledger or by Vault, and told to witnesses: a file on another machine's disk, a Slack channel, a Jira issue.
# [checkpoints]
# signer = "local"              # or "vault:transit/onboard-ledger"
# witnesses = ["file:/mnt/witness/onboard.jsonl", "slack:security", "jira:SEC-1"]

# What no system lets onboard do is a task for people (onboard tasks), due after so many days.
# [tasks]
# due_days = 2

# An approval that isn't applied within so many days is void. What waits longer than escalate_after_days is overdue: the
# engagement's company lead may approve it, too (policies/authority).
# [approvals]
# expires_days = 14
# escalate_after_days = 3

# Reviews find the right to push dormant after so many days without a push (0: never). It takes a question for each
# repository, and Contents: read for the credential that reads GitHub.
# [review]
# dormant_days = 0

# What is kept of people ends by itself after so many days (0: when somebody erases it): all of it from the day on which
# they left, free text from the day on which it was written.
# [retention]
# left_days = 0
# notes_days = 0

# The mail server that one-time codes are sent by (onboard person confirm). Without it they are shown to whoever asks.
# [mail]                        # ONBOARD_MAIL__PASSWORD
# host = "mail.acme.example"
# sender = "onboard@acme.example"
# username = "onboard"
# tls = "starttls"              # or "implicit"

# Who is told that a plan needs their word: approvers by a direct message in Slack, and by a ticket in a Jira project.
# [notices]
# slack = "slack"               # the name of a system
# jira = "jira"
# jira_project = "SEC"
# jira_issue_type = "Task"
# jira_names = false            # tickets have people's ids, not their names
# jira_approved = "Approved"    # moving the ticket here approves, to the other one refuses; a comment does too
# jira_refused = "Rejected"

# Who is told out loud that the glass was broken (onboard break-glass) or that somebody was found on a decoy: a Slack
# channel, a Jira issue, a file; and the file of Vault's audit device, in which touches on a decoy's paths stand.
# [alarms]
# tell = ["slack:security"]
# vault_audit = "/var/log/vault/audit.log"

# Their answers come in here (onboard listen), behind something that speaks TLS for it.
# [listen]                      # ONBOARD_LISTEN__SLACK_SIGNING_SECRET, ONBOARD_LISTEN__JIRA_WEBHOOK_SECRET
# host = "127.0.0.1"
# port = 8470
# per_minute = 60               # requests from one address that show no signature

# A system's protected accounts, by handle or id, are never changed: owners, emergency accounts, onboard's own.

# [systems.github]              # ONBOARD_GITHUB__TOKEN, __READ_TOKEN; or instead of a token a GitHub App: __APP_ID,
#                               # __INSTALLATION_ID and __PRIVATE_KEY_FILE, and __READ_APP_ID … for the one that reads
# org = "acme"
# base_url = "https://api.github.com"
# protected = ["octo-admin"]

# [systems.jira]                # ONBOARD_JIRA__TOKEN, ONBOARD_JIRA__READ_TOKEN
# base_url = "https://acme.atlassian.net"
# deployment = "cloud"          # or "data-center"
# email = "onboard@acme.example"
# read_email = "onboard-reader@acme.example"   # whose read_token is; email unless given

# [systems.slack]               # ONBOARD_SLACK__BOT_TOKEN, __ADMIN_TOKEN (SCIM), __READ_TOKEN,
#                               # __READ_ADMIN_TOKEN (an administrator's that can't write, to read sessions)
# base_url = "https://slack.com/api/"
# scim_base_url = "https://api.slack.com/scim/v1/"

# [systems.vault]               # ONBOARD_VAULT__TOKEN, or __ROLE_ID and __SECRET_ID; READ_… likewise
# addr = "https://vault.acme.example:8200"
# namespace = "admin"
# login_mount = "userpass"      # the auth mount that people log in at

# A second instance of a kind has a name of its own: ONBOARD_SYSTEMS__GITHUB_EU__TOKEN
# [systems.github-eu]
# kind = "github"
# org = "acme-eu"
"""


@app.command("init")
def init(
    folder: Annotated[Path, typer.Argument(help="Where to begin.", file_okay=False)] = Path(),
) -> None:
    """Write onboard.toml and the starter policies into a folder."""
    from onboard.settings import FILE
    from onboard.wiring import starter_policies

    file, policies = folder / FILE, folder / "policies"
    taken = [path for path in (file, policies) if path.exists()]
    if taken:
        raise BadInput(
            Problem(str(path), 0, "exists already and isn't overwritten. Remove it, or begin in another folder.")
            for path in taken
        )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(starter_policies(), policies)
    with file.open("x", encoding="utf-8") as written:
        written.write(TEMPLATE)
    output.say(f"Wrote {file} and {policies}/, the starter policies. Both are meant for git; secrets are not.")
    output.next_step(
        f"name your systems in {file}, set their credentials, then: onboard ledger init, and onboard doctor"
    )
