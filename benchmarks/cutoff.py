"""Cutting off one person with 40 grants: after how many dependent round trips access is dead, after how many verified.

    python benchmarks/cutoff.py [--latencies 200,600] [--vendor 200]

Every request of ours waits for the latency on its way. Meanwhile the person's own credentials are tried all the time,
without latency: access is dead when the system first refuses them or shows them nothing. It is verified when every
route has been read again and holds nothing. Both are measured at two latencies: what the wall time grows by, divided by
what the latency grew by, is the number of round trips that had to wait for each other. Work of the machine cancels out.

The organisation is small (20 repositories, 6 projects): at most 32 calls to a system are under way at once, and each
further 32 of one sort would cost a round trip more. Of several runs the quickest counts: others of the machine's
programs only add. `--vendor` computes how long cutting off so many people lasts at the vendors' published limits,
beside the least that they allow; see `vendor.py`.
"""

from __future__ import annotations

import argparse
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests
from common import conclude, now, sandbox
from pydantic import SecretStr
from vendor import for_all, minutes, taken

from onboard.connectors.base import Reader, Residue, Writer
from onboard.connectors.github.reader import GitHubReader
from onboard.connectors.github.writer import GitHubWriter
from onboard.connectors.jira.client import Deployment
from onboard.connectors.jira.reader import JiraReader
from onboard.connectors.jira.writer import JiraWriter
from onboard.connectors.levers import sharing
from onboard.connectors.slack.reader import SlackReader
from onboard.connectors.slack.writer import SlackWriter
from onboard.connectors.vault.reader import VaultReader
from onboard.connectors.vault.writer import VaultWriter
from onboard.engine.parallel import each
from onboard.model import Account, Kind, Resource
from onboard.sandbox.client import SandboxClient

SIZES = "people=60,repos=20,teams=10,projects=6,jira-groups=8,channels=20,usergroups=5,vault-people=16,vault-groups=9"
WHO = "person-1"
#: How many people are cut off to see what each takes, first and then.
SAMPLE = (3, 6)
#: Seconds between two tries of the person's credentials.
PERIOD = 0.01

Try = Callable[[requests.Session], bool]


@dataclass(frozen=True)
class System:
    """One system with the person on it: what is granted, how it is cut off, and whether the person still gets in.

    `open` is the path of the requests by which the person tries, which meet no latency.
    """

    name: str
    writer: Writer
    reader: Reader
    account: Account
    grants: tuple[tuple[Resource, str], ...]
    open: str
    alive: Try


@dataclass(frozen=True)
class Timing:
    """Seconds until dead and until verified, requests until each, and what remained."""

    dead: float
    verified: float
    requests: int
    remains: int


def systems(client: SandboxClient, person: str = WHO) -> list[System]:
    """The systems; Jira in both deployments."""
    return [
        _github(client, person),
        _jira(client, person, cloud=True),
        _jira(client, person, cloud=False),
        _slack(client, person),
        _vault(client, person),
    ]


def _github(client: SandboxClient, person: str) -> System:
    hub, who = client.github, client.person(person).github
    own = {"Authorization": f"Bearer {who['token']}"}
    grants = [("org", "acme", "member")]
    grants += [("team", f"acme/team-{n}", "member") for n in range(4)]
    grants += [("repo", f"acme/repo-{n}", "push") for n in range(5)]
    return System(
        "github",
        GitHubWriter("github", hub["base_url"], hub["org"], SecretStr(hub["token"]), now),
        GitHubReader("github", hub["base_url"], hub["org"], SecretStr(hub["read_token"]), now),
        Account("a-1", "github", str(who["id"]), who["login"]),
        _granted("github", grants),
        "/user/repos",
        lambda s: bool(s.get(f"{hub['base_url']}/user/repos", headers=own).json()),
    )


def _jira(client: SandboxClient, name_of: str, *, cloud: bool) -> System:
    site, person = client.jira if cloud else client.jira_data_center, client.person(name_of)
    name = "jira" if cloud else "jira-data-center"
    who, token = person.jira, person.jira["token" if cloud else "data_center_token"]
    own: dict[str, Any] = {"headers": {} if cloud else {"Authorization": f"Bearer {token}"}}
    own |= {"auth": (person.email, token)} if cloud else {}
    grants = [("group", f"group-{n}", "member") for n in range(5)]
    grants += [("project", f"P{n}", "Developers") for n in range(5)]
    deployment: Deployment = "cloud" if cloud else "data-center"
    url = f"{site['base_url']}/rest/api/{3 if cloud else 2}/myself"
    return System(
        name,
        JiraWriter(name, site["base_url"], site["email"], SecretStr(site["token"]), deployment, now),
        JiraReader(name, site["base_url"], site["email"], SecretStr(site["read_token"]), deployment, now),
        Account("a-2", name, who["account_id"] if cloud else who["key"], who["username"]),
        _granted(name, grants),
        "/myself",
        lambda s: s.get(url, **own).ok,
    )


def _slack(client: SandboxClient, person: str) -> System:
    slack, who = client.slack, client.person(person).slack
    own = {"Authorization": f"Bearer {who['token']}"}
    grants = [("channel", f"channel-{n}", "member") for n in range(8)]
    grants += [("usergroup", f"group-{n}", "member") for n in range(2)]
    bot, admin, read = (SecretStr(slack[f"{which}_token"]) for which in ("bot", "admin", "read"))
    return System(
        "slack",
        SlackWriter("slack", slack["base_url"], bot, admin, slack["scim_base_url"], now),
        SlackReader("slack", slack["base_url"], read, now),
        Account("a-3", "slack", who["id"], client.person(person).email),
        _granted("slack", grants),
        "/users.list",
        lambda s: bool(s.get(f"{slack['base_url']}users.list?limit=1", headers=own).json()["ok"]),
    )


def _vault(client: SandboxClient, person: str) -> System:
    vault, who = client.vault, client.person(person).vault
    addr = vault["addr"]
    writer = VaultWriter("vault", addr, SecretStr(vault["token"]), None, now)
    reader = VaultReader("vault", addr, SecretStr(vault["read_token"]), None, now)
    login = requests.post(f"{addr}/v1/auth/userpass/login/{who['username']}", json={"password": who["password"]})
    own = {"X-Vault-Token": login.json()["auth"]["client_token"]}
    account = Account("a-4", "vault", login.json()["auth"]["entity_id"], who["username"])
    grants = [("login", "userpass", "enabled")] + [("group", f"group-{n}", "member") for n in range(9)]
    return System(
        "vault",
        writer,
        reader,
        account,
        _granted("vault", grants),
        "/auth/token/lookup-self",
        lambda s: s.get(f"{addr}/v1/auth/token/lookup-self", headers=own).ok,
    )


def _granted(system: str, grants: Sequence[tuple[str, str, str]]) -> tuple[tuple[Resource, str], ...]:
    return tuple((Resource(system, type_, name), level) for type_, name, level in grants)


def prepared(client: SandboxClient, person: str = WHO) -> list[System]:
    """Everything granted and accepted, at no latency."""
    found = systems(client, person)
    for system in found:
        for resource, level in system.grants:
            system.writer.grant(system.account, resource, level)
    client.accept(person)
    return found


def cut_off(client: SandboxClient, latency_ms: int) -> dict[str, Timing]:
    """All systems at once, at that latency."""
    found = prepared(client)
    for system in found:
        client.fault(system.name, "latency", ms=latency_ms, path=f"(?<!{system.open})$")
    timings = each(lambda system: _timed(client, system), found)
    client.clear_faults()
    client.reset()
    return {system.name: timing for system, timing in zip(found, timings, strict=True)}


def quickest(runs: Sequence[Mapping[str, Timing]]) -> dict[str, Timing]:
    """By system the least time until dead, and until verified, of several runs, and the most that remained."""
    return {
        name: Timing(
            min(run[name].dead for run in runs),
            min(run[name].verified for run in runs),
            runs[-1][name].requests,
            max(run[name].remains for run in runs),
        )
        for name in runs[0]
    }


def _timed(client: SandboxClient, system: System) -> Timing:
    since = max((entry["n"] for entry in client.requests()), default=0)
    died = _Watch(system.alive)
    began = time.monotonic()
    system.writer.cut_off(system.account)
    residue = system.reader.residue(system.account)
    verified = time.monotonic() - began
    dead = died.at() - began
    sent = [e for e in client.requests(system.name, since) if not e["token"].startswith("person:")]
    return Timing(dead, verified, len(sent), len(_remaining(system, residue)))


def _remaining(system: System, residue: Residue) -> list[Any]:
    """What is still held. On Jira Cloud the account itself stays: it is Atlassian's."""
    kept = [each for each in residue.remaining if not (system.name == "jira" and each.resource.type == "account")]
    return [*kept, *residue.unknown]


class _Watch:
    """Tries the person's credentials until they are refused."""

    def __init__(self, alive: Try) -> None:
        self._alive = alive
        self._when = 0.0
        self._session = requests.Session()
        self._session.trust_env = False
        if not alive(self._session):
            raise RuntimeError("the person can't get in even before being cut off")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def at(self) -> float:
        """When they first were. Raises RuntimeError where they still are not a while after all is done."""
        self._thread.join(10)
        if not self._when:
            raise RuntimeError("the person's own credentials still work")
        return self._when

    def _run(self) -> None:
        while self._alive(self._session):
            time.sleep(PERIOD)
        self._when = time.monotonic()


def figures(runs: Mapping[int, Mapping[str, Timing]]) -> dict[str, Any]:
    """By system: round trips by the slope between the two latencies, and wall time in units of the greater one."""
    low, high = sorted(runs)
    step = (high - low) / 1000

    def row(before: Timing, after: Timing) -> dict[str, Any]:
        return {
            "dead_round_trips": round((after.dead - before.dead) / step, 1),
            "verified_round_trips": round((after.verified - before.verified) / step, 1),
            "dead_wall_per_latency": round(after.dead * 1000 / high, 1),
            "verified_wall_per_latency": round(after.verified * 1000 / high, 1),
            "requests": after.requests,
            "remains": after.remains,
        }

    return {name: row(runs[low][name], runs[high][name]) for name in runs[low]}


def vendor(client: SandboxClient, people: int) -> dict[str, Any]:
    """By system: minutes at the published limits for so many people, the least that they allow, and the ratio."""
    logs = [_cut_off_many(client, count) for count in SAMPLE]
    found: dict[str, Any] = {}
    for system in ("github", "jira", "slack"):
        few, more = ([entry for entry in log if entry["system"] == system] for log in logs)

        figure = _lasting(Kind(system), few, more, people)
        found[system] = figure | {"ratio": _ratio(figure["minutes"], figure["least_minutes"])}
    slowest = max(figure["minutes"] for figure in found.values())
    least = max(figure["least_minutes"] for figure in found.values())
    return found | {"all": {"minutes": slowest, "least_minutes": least, "ratio": _ratio(slowest, least)}}


def _lasting(kind: Kind, few: list[Any], more: list[Any], people: int) -> dict[str, Any]:
    """Minutes for so many people on one system, and which limit decides."""

    def lasts(writes: bool) -> tuple[float, str]:
        amounts = for_all(taken(few, writes=writes), taken(more, writes=writes), SAMPLE, people)
        return minutes(kind, amounts)

    (ours, by), (least, _) = lasts(False), lasts(True)
    return {"minutes": round(ours, 2), "decided_by": by if ours else "nothing", "least_minutes": round(least, 2)}


def _ratio(ours: float, least: float) -> float:
    """How much longer ours lasts; within a minute's first calls neither waits."""
    return round(ours / least, 2) if least else 1.0 if not ours else math.inf


def _cut_off_many(client: SandboxClient, count: int) -> list[dict[str, Any]]:
    """What was asked of the systems to cut off so many people with one writer for each system."""
    people = [prepared(client, f"person-{number}") for number in range(1, count + 1)]
    since = max(entry["n"] for entry in client.requests())
    with sharing():
        for first, *others in zip(*people, strict=True):
            each(lambda system, first=first: first.writer.cut_off(system.account), [first, *others])  # type: ignore[misc]
    log = client.requests(since=since)
    client.reset()
    return log


def main() -> None:
    """Measure, print a line for each system, and end with the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latencies", default="200,600", metavar="MS,MS")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--vendor", type=int, default=200, metavar="PEOPLE")
    given = parser.parse_args()
    latencies = [int(each_) for each_ in given.latencies.split(",")]
    with sandbox(SIZES, 0) as client:
        grants = sum(len(system.grants) for system in systems(client) if system.name != "jira-data-center")
        runs = {latency: quickest([cut_off(client, latency) for _ in range(given.runs)]) for latency in latencies}
        many = vendor(client, given.vendor)
    found = figures(runs)
    print(f"{grants} grants; Jira Data Center besides, with the same as Jira Cloud")
    for system, row in found.items():
        print(f"{system:<17}", "  ".join(f"{name} {value}" for name, value in row.items()))
    print(f"{given.vendor} people, computed from published limits; Vault and Jira Data Center publish none")
    for system, figure in many.items():
        print(f"{system:<17}", "  ".join(f"{name} {value}" for name, value in figure.items()))
    figures_of = {"systems": found, "vendor_people": given.vendor, "vendor": many}
    conclude({"benchmark": "cutoff", "grants": grants, "latencies_ms": latencies, **figures_of})


if __name__ == "__main__":
    main()
