"""The vendors' descriptions out of the folder that ONBOARD_API_SPECS names, corrected where they are wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.contract.description import Description, Exchange, Finding
from tests.contract.graph import Graph
from tests.contract.scim import scim_document

SETTING = "ONBOARD_API_SPECS"
GRAPHQL = "graphql"
#: Marks what `_either_verb` added.
SAME_AS_GET = "x-same-as-get"
EXCEPTIONS = Path(__file__).with_name("exceptions.yaml")

_JIRA_ERROR = {
    "type": "object",
    "required": ["errorMessages", "errors"],
    "properties": {
        "errorMessages": {"type": "array", "items": {"type": "string"}},
        "errors": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_SCIM_ERROR = {
    "type": "object",
    "required": ["Errors"],
    "properties": {
        "Errors": {
            "type": "object",
            "required": ["description", "code"],
            "properties": {"description": {"type": "string"}, "code": {"type": "integer"}},
        }
    },
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """An exception: findings that its pattern matches stand, for this reason. `fuzz`: only fuzzing meets it."""

    api: str
    finding: str
    reason: str
    fuzz: bool

    def covers(self, finding: Finding) -> bool:
        """Whether it is about that finding."""
        return fnmatchcase(str(finding), self.finding)


@dataclass(frozen=True, slots=True)
class Rules:
    """The data file: corrections of the descriptions, and exceptions from them."""

    corrections: tuple[Mapping[str, Any], ...]
    allowed: tuple[Allowed, ...]

    @classmethod
    def read(cls, file: Path = EXCEPTIONS) -> Rules:
        """Raises KeyError where an entry lacks its reason."""
        told = YAML(typ="safe").load(file)
        listed = [
            Allowed(entry["api"], finding, entry["reason"], bool(entry.get("fuzz")))
            for entry in told["exceptions"]
            for finding in ([entry["finding"]] if isinstance(entry["finding"], str) else entry["finding"])
        ]
        return cls(tuple(told["corrections"]), tuple(listed))

    def of(self, api: str) -> list[Allowed]:
        """The exceptions for one API."""
        return [entry for entry in self.allowed if entry.api == api]

    def left(self, api: str, findings: Iterable[Finding]) -> list[str]:
        """The findings that no exception covers, each once."""
        return sorted({str(f) for f in findings if not any(entry.covers(f) for entry in self.of(api))})

    def unused(self, api: str, findings: Iterable[Finding]) -> list[str]:
        """The exceptions that cover nothing: the file should lose them."""
        found = list(findings)
        return [e.finding for e in self.of(api) if not e.fuzz and not any(map(e.covers, found))]


class Vendors:
    """Descriptions by API, each loaded when it is first asked for."""

    def __init__(self, folder: Path, rules: Rules) -> None:
        self._folder = folder
        self._rules = rules
        self._loaded: dict[str, Description] = {}

    def check(self, api: str, exchange: Exchange) -> Iterable[Finding]:
        """What that API's description doesn't allow."""
        return self.graph.check(exchange) if api == GRAPHQL else self[api].check(exchange)

    @cached_property
    def graph(self) -> Graph:
        """GitHub's GraphQL schema."""
        return Graph(self.text("github-schema.graphql"))

    def __getitem__(self, api: str) -> Description:
        if api not in self._loaded:
            self._loaded[api] = getattr(self, f"_{api.replace('-', '_')}")()
        return self._loaded[api]

    def text(self, name: str) -> str:
        """A file as text, unpacked."""
        with gzip.open(self._folder / f"{name}.gz", "rt") as file:
            return file.read()

    def _document(self, api: str, name: str) -> dict[str, Any]:
        document = json.loads(self.text(f"{name}.json"))
        for correction in self._rules.corrections:
            if correction["api"] == api:
                _set(document, correction["at"], correction["value"])
        return dict(document)

    def _github(self) -> Description:
        document = self._document("github", "github-ghec")
        return Description(document, error={"$ref": "#/components/schemas/basic-error"}, deep=["path"])

    def _jira(self) -> Description:
        return Description(self._document("jira", "jira-cloud-v3"), error=_JIRA_ERROR)

    def _jira_data_center(self) -> Description:
        document = self._document("jira-data-center", "jira-dc-10.3")
        return Description(document, prefix="/rest", error=_JIRA_ERROR)

    def _slack(self) -> Description:
        document = self._document("slack", "slack-web")
        for item in document["paths"].values():
            _either_verb(item)
        return Description(document, prefix="/api", error={}, ok_flag=True)

    def _scim(self) -> Description:
        schemas = {schema["id"]: schema for schema in json.loads(self.text("scim2-schemas.json"))}
        return Description(scim_document(schemas), prefix="/scim/v1", error=_SCIM_ERROR)

    def _vault(self) -> Description:
        return Description(
            self._document("vault", "openbao"), prefix="/v1", requests_only=True, deep=["path", "prefix"]
        )


def api_of(system: str, path: str) -> str:
    """Which description a recorded request belongs to."""
    return "scim" if path.startswith("/scim/") else GRAPHQL if path.endswith("/graphql") else system


def exchanges(recorded: Iterable[Mapping[str, Any]]) -> dict[str, list[Exchange]]:
    """What the sandbox recorded, by API. Answers that a fault made up are left out: they aren't a simulator's."""
    sorted_: dict[str, list[Exchange]] = {}
    for entry in recorded:
        told = {name: value for name, value in entry.items() if name not in ("system", "fault")}
        if entry["method"] == "LIST":
            told |= {"method": "GET", "query": "list=true"}
        if entry["fault"] not in (None, "latency", "drop-after"):
            told["status"] = None
        sorted_.setdefault(api_of(entry["system"], entry["path"]), []).append(Exchange(**told))
    return sorted_


def _either_verb(item: dict[str, Any]) -> None:
    """Slack takes each method by GET and by POST, its arguments in the query or in a form; one way is described."""
    if "get" in item and "post" not in item:
        listed = [parameter for parameter in item["get"].get("parameters", ()) if parameter["in"] == "query"]
        form = {"type": "object", "properties": {parameter["name"]: parameter["schema"] for parameter in listed}}
        body = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
        item["post"] = {"requestBody": body, "responses": item["get"]["responses"], SAME_AS_GET: True}


def _set(document: Any, pointer: str, value: Any) -> None:
    """Replace what stands at a JSON pointer (RFC 6901); raises KeyError where nothing leads there."""
    *way, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.removeprefix("/").split("/")]
    for step in way:
        document = document[int(step) if isinstance(document, list) else step]
    document[int(last) if isinstance(document, list) else last] = value
