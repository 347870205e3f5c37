"""Touches on decoys that Vault's audit device has written down, and alarms about whoever is found on one.

Of the four systems only Vault tells who touched what: GitHub's audit log is for Enterprise, Jira and Slack don't tell
who read something. There whoever holds a decoy is found; who only looks at it isn't.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onboard.alarms import alarm
from onboard.connectors.vault.acl import Rule
from onboard.model import Account, Resource
from onboard.review.findings import Books, Bound, Finding, FindingKind, Severity
from onboard.wiring import Services


@dataclass(frozen=True)
class Audited:
    """What an audit file tells of decoys, and what of it couldn't be read (where, why)."""

    findings: tuple[Finding, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()


@dataclass
class _Touches:
    """One account's requests of one sort on one decoy."""

    bound: Bound | None
    shown: str
    times: list[str] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)


def audited(file: Path | None, paths: Mapping[Resource, Sequence[str]], books: Books) -> Audited:
    """The touches in a file of Vault's audit device, of JSON lines. `paths`: each decoy's, as policies write them.

    Every request counts, one that was denied as well. Whoever the settings protect is left out.
    """
    if file is None or not paths:
        return Audited()
    rules = [(resource, Rule(path, frozenset(), "")) for resource, those in paths.items() for path in those]
    found: dict[tuple[Resource, str, str], _Touches] = {}
    unread = 0
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                entry = _entry(line)
                unread += entry is None
                for resource, rule in rules if entry else ():
                    if entry and rule.covers(entry["path"]):
                        _count(found, resource, entry, books)
    except (OSError, UnicodeDecodeError) as error:
        return Audited((), ((f"{file}", getattr(error, "strerror", None) or "it isn't text"),))
    unknown = ((f"{file}", f"{unread} lines aren't those of an audit device"),) if unread else ()
    return Audited(tuple(_finding(key, touches) for key, touches in found.items()), unknown)


def _entry(line: str) -> dict[str, Any] | None:
    """A request in a line; without a path for a response, which tells of the same again. None for what is neither."""
    try:
        told = json.loads(line)
        asked, auth = told["request"], told.get("auth") or {}
        return {
            "path": str(asked.get("path", "")) if told["type"] == "request" else "",
            "operation": str(asked.get("operation", "")),
            "entity": str(auth.get("entity_id") or ""),
            "shown": str(auth.get("display_name") or ""),
            "time": str(told.get("time", "")),
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _count(
    found: dict[tuple[Resource, str, str], _Touches], resource: Resource, entry: Mapping[str, str], books: Books
) -> None:
    entity, shown = entry["entity"], entry["shown"]
    if books.protected(Account("", resource.system, entity or None, shown)):
        return
    bound = books.bound.get((resource.system, entity)) if entity else None
    touches = found.setdefault(
        (resource, entity or shown, entry["operation"]), _Touches(bound, shown or "nobody known")
    )
    touches.times.append(entry["time"])
    touches.paths.add(entry["path"])


def _finding(key: tuple[Resource, str, str], touches: _Touches) -> Finding:
    resource, _, operation = key
    often = f"{len(touches.times)} times" if len(touches.times) > 1 else "once"
    message = f"touched a decoy {often}, last {max(touches.times)[:19]} ({min(touches.paths)}); find out why"
    who = touches.bound
    return Finding(
        FindingKind.DECOY,
        Severity.ALARM,
        resource,
        operation,
        who.person if who else None,
        who.account if who else None,
        touches.shown,
        message,
    )


def raised(services: Services, findings: Sequence[Finding], before: Sequence[str]) -> tuple[set[str], tuple[str, ...]]:
    """Tell those whom the settings name of each alarm that the last review didn't have.

    Returns the keys of those that couldn't be told, which have to be new again next time, and why.
    """
    missed: set[str] = set()
    failed: list[str] = []
    for finding in findings:
        if finding.severity is Severity.ALARM and finding.key not in before:
            failures = alarm(services, _line(finding))
            failed += failures
            missed |= {finding.key} if failures else set()
    return missed, tuple(dict.fromkeys(failed))


def _line(finding: Finding) -> str:
    """What people are told: opaque ids only."""
    who = finding.person[:10] if finding.person else "a stranger"
    return f"Decoy: {who}, {finding.level} on {finding.resource}. Look: onboard review"


def paths_of(services: Services) -> Iterator[tuple[Resource, tuple[str, ...]]]:
    """The paths in Vault that are decoys, by their group."""
    for spec in services.policy.resources.values():
        if spec.decoy and spec.reaches:
            yield spec.resource, spec.reaches
