"""Reading everything: our readers beside the loop that most teams would write, and beside the fewest requests possible.

    python benchmarks/read.py [--sizes people=1000,repos=100,teams=20] [--latency MS] [--skip-plain]

The lower bound counts every datum once at the vendor's largest page: GitHub 100, Jira 1000 users and 50 group members,
Slack 999, Vault one call for each entity and group.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from typing import Any

from common import Cost, conclude, measure, now, peak_memory_mb, sandbox
from plain import LOOPS
from pydantic import SecretStr

from onboard.connectors.base import Reader, Scope
from onboard.connectors.github import GitHubReader
from onboard.connectors.jira import JiraReader
from onboard.connectors.slack import SlackReader
from onboard.connectors.vault import VaultReader
from onboard.sandbox.client import SandboxClient
from onboard.sandbox.generate import ROLES, parse_sizes


def readers(client: SandboxClient) -> dict[str, Reader]:
    """Our readers on this sandbox."""
    hub, site, slack, vault = client.github, client.jira, client.slack, client.vault
    return {
        "github": GitHubReader("github", hub["base_url"], hub["org"], SecretStr(hub["read_token"]), now),
        "jira": JiraReader("jira", site["base_url"], site["email"], SecretStr(site["read_token"]), "cloud", now),
        "slack": SlackReader("slack", slack["base_url"], SecretStr(slack["read_token"]), now),
        "vault": VaultReader("vault", vault["addr"], SecretStr(vault["read_token"]), None, now),
    }


def bounds(sizes: Mapping[str, int]) -> dict[str, int]:
    """The fewest requests that could tell everything.

    GitHub's is by GraphQL, 100 nodes at a time, without what only REST lists for each repository.
    """

    def pages(count: int, size: int) -> int:
        return max(1, math.ceil(count / size))

    people = sizes["people"]
    inside = people - math.ceil(people / 10)
    share = inside // max(1, sizes["teams"])
    group = people // max(1, sizes["jira-groups"])
    channel = people // max(1, sizes["channels"])
    return {
        "github": pages(inside, 100) + sizes["teams"] * pages(share, 100) // 25 + pages(sizes["repos"], 25) + 1,
        "jira": pages(people, 1000)
        + sizes["jira-groups"] * pages(group, 50)
        + sizes["projects"] * (1 + len(ROLES))
        + 1,
        "slack": pages(people, 999) + pages(sizes["channels"], 999) + sizes["channels"] * pages(channel, 999) + 1,
        "vault": 1 + 1 + sizes["vault-people"] + sizes["vault-groups"] + 1,
    }


def read_all(reader: Reader) -> int:
    """One complete reading; how many holdings it found. Raises RuntimeError where something stayed unknown."""
    observation = reader.read(Scope(None))
    unknown = [reading for reading in observation.readings.values() if reading.unknown]
    if observation.unknown or unknown:
        raise RuntimeError(f"{reader.system}: {observation.unknown or unknown[0].unknown}")
    return sum(len(reading.holdings) for reading in observation.readings.values())


def main() -> None:
    """Measure, print a line for each system, and end with the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="people=1000,repos=100,teams=20")
    parser.add_argument("--latency", type=int, default=0, metavar="MS")
    parser.add_argument("--skip-plain", action="store_true")
    given = parser.parse_args()
    sizes = parse_sizes(given.sizes)
    figures: dict[str, Any] = {"benchmark": "read", "sizes": sizes, "latency_ms": given.latency, "systems": {}}
    with sandbox(given.sizes, given.latency) as client:
        for system, reader in readers(client).items():
            ours = measure(client, system, lambda reader=reader: read_all(reader))  # type: ignore[misc]
            loop = None if given.skip_plain else measure(client, system, lambda name=system: LOOPS[name](client))  # type: ignore[misc]
            figures["systems"][system] = row(ours, loop, bounds(sizes)[system])
            print(system, figures["systems"][system])
    figures["peak_memory_mb"] = peak_memory_mb()
    conclude(figures)


def row(ours: Cost, loop: Cost | None, bound: int) -> dict[str, Any]:
    """One system's figures."""
    found: dict[str, Any] = {"ours": ours, "bound_requests": bound, "over_bound": round(ours.requests / bound, 2)}
    if loop:
        found |= {"plain": loop, "requests_ratio": round(loop.requests / max(1, ours.requests), 1)}
        found |= {"time_ratio": round(loop.seconds / max(0.001, ours.seconds), 1)}
    return found


if __name__ == "__main__":
    main()
