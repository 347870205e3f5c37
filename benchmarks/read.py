"""Reading everything: our readers beside the loop that most teams would write, and beside the fewest requests possible.

    python benchmarks/read.py [--sizes people=1000,repos=100,teams=20] [--latency MS] [--skip-plain] [--tenth]

The lower bound counts every datum once at the vendor's largest page: GitHub 100, Jira 1000 users and 50 group members,
Slack 999, Vault one call for each entity and group. GitHub's leaves out what only REST lists for each repository.

GitHub is read twice: the second time as reviews and nightly runs do, with those lists in turn (`in_turn`).

With `--tenth` a world of a tenth of the sizes comes first. Ours is read in both, which tells how it grows; the loop,
whose calls wait for one another, in the small one alone. What it takes is then multiplied by ten, and marked `scaled`.
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
from onboard.connectors.github.reader import GitHubReader
from onboard.connectors.jira.reader import JiraReader
from onboard.connectors.slack.reader import SlackReader
from onboard.connectors.vault.reader import VaultReader
from onboard.sandbox.client import SandboxClient
from onboard.sandbox.generate import ROLES, parse_sizes

TENTH = 10
EVERYTHING = Scope(None)
#: Everything, with what costs a request for each repository in turn, no repository being named.
IN_TURN = Scope(None, fresh=frozenset())


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
    """The fewest requests that could tell everything; for GitHub by GraphQL, 25 teams or repositories at a time."""

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


def read_all(reader: Reader, scope: Scope = EVERYTHING) -> int:
    """One complete reading; how many holdings it found. Raises RuntimeError where something stayed unknown."""
    observation = reader.read(scope)
    unknown = [reading for reading in observation.readings.values() if reading.unknown]
    if observation.unknown or unknown:
        raise RuntimeError(f"{reader.system}: {observation.unknown or unknown[0].unknown}")
    return sum(len(reading.holdings) for reading in observation.readings.values())


def ours_in(client: SandboxClient) -> dict[str, Cost]:
    """What each of our readers takes for everything."""
    made = readers(client)
    found = {
        system: measure(client, system, lambda reader=reader: read_all(reader))  # type: ignore[misc]
        for system, reader in made.items()
    }
    return found | {"in_turn": measure(client, "github", lambda: read_all(made["github"], IN_TURN))}


def loops_in(client: SandboxClient) -> dict[str, Cost]:
    """What the loop takes on each system."""
    return {system: measure(client, system, lambda loop=loop: loop(client)) for system, loop in LOOPS.items()}  # type: ignore[misc]


def main() -> None:
    """Measure, print a line for each system, and end with the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="people=1000,repos=100,teams=20")
    parser.add_argument("--latency", type=int, default=0, metavar="MS")
    parser.add_argument("--skip-plain", action="store_true")
    parser.add_argument("--tenth", action="store_true")
    given = parser.parse_args()
    sizes = parse_sizes(given.sizes)
    small, loops = {}, {}
    tenth = ",".join(f"{name}={max(1, size // TENTH)}" for name, size in sizes.items() if not name.startswith("vault"))
    if given.tenth:
        with sandbox(tenth, given.latency) as client:
            small = ours_in(client)
            if not given.skip_plain:
                grows = {name: 1 if name == "vault" else TENTH for name in LOOPS}
                loops = {name: cost.times(grows[name]) for name, cost in loops_in(client).items()}
    with sandbox(given.sizes, given.latency) as client:
        ours = ours_in(client)
        in_turn, listed = ours.pop("in_turn"), sizes["repos"]
        memory = peak_memory_mb()
        if not given.tenth and not given.skip_plain:
            loops = loops_in(client)
    rows = {
        system: row(cost, loops.get(system), small.get(system), bounds(sizes)[system], listed * (system == "github"))
        for system, cost in ours.items()
    }
    rows["github"] |= {"in_turn": in_turn}
    if "github" in loops:
        rows["github"] |= {"in_turn_time_ratio": round(loops["github"].seconds / in_turn.seconds, 1)}
    for system, figures in rows.items():
        print(system, *(f"{name} {value}" for name, value in figures.items()), sep="\n  ")
    more = {"latency_ms": given.latency, "systems": rows, "peak_memory_mb": memory}
    print(f"peak memory {memory} MB")
    conclude({"benchmark": "read", "sizes": sizes, **more})


def row(ours: Cost, loop: Cost | None, small: Cost | None, bound: int, listed: int) -> dict[str, Any]:
    """One system's figures; `listed` are the requests that are no part of the bound."""
    counted = ours.requests - listed
    found: dict[str, Any] = {"ours": ours, "bound_requests": bound, "over_bound": round(counted / bound, 2)}
    if listed:
        found["by_repository"] = listed
    if small:
        found |= {"tenth": small, "grows_requests": round(ours.requests / small.requests, 1)}
        found |= {"grows_seconds": round(ours.seconds / small.seconds, 1)}
    if loop:
        found |= {"plain": loop, "requests_ratio": round(loop.requests / max(1, ours.requests), 1)}
        found |= {"time_ratio": round(loop.seconds / max(0.001, ours.seconds), 1)}
    return found


if __name__ == "__main__":
    main()
