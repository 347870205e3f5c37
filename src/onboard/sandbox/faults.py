"""Faults that a test or a rehearsal orders, and how each vendor words the answers that they cause."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import JSONResponse, Response

from onboard.sandbox.core import GITHUB, JIRA, JIRA_DATA_CENTER, SLACK

Kind = Literal["latency", "429", "500", "drop-before", "drop-after", "forbidden", "partial"]


class Fault(BaseModel):
    """What goes wrong with which requests: those of `system` (and `method`, and a `path` that the regex is found in).

    The first `skip` of them pass, the next `times` meet the fault; without `times`, all until faults are cleared.
    `latency` waits `ms`; `429` sends `retry_after` seconds where given, as a date with `as_date`; `drop-before` closes
    the connection before anything happened, `drop-after` once the change is committed; `partial` answers 500 from the
    second page on. At `mail` the method is RCPT or DATA and the path the address.
    """

    model_config = ConfigDict(extra="forbid")

    system: Literal["github", "jira", "jira-data-center", "slack", "vault", "mail"]
    kind: Kind
    method: str | None = None
    path: str | None = None
    times: int | None = Field(default=None, ge=1)
    skip: int = Field(default=0, ge=0)
    ms: int = Field(default=1000, ge=0)
    retry_after: int | None = Field(default=None, ge=0)
    as_date: bool = False

    @field_validator("path")
    @classmethod
    def _a_regular_expression(cls, path: str | None) -> str | None:
        try:
            re.compile(path or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return path

    def wait(self, now: datetime) -> str | None:
        """The header Retry-After of a limit that is met now; None for an answer without one."""
        if self.kind != "429" or self.retry_after is None:
            return None
        when = now.astimezone(UTC) + timedelta(seconds=self.retry_after)
        return format_datetime(when, usegmt=True) if self.as_date else str(self.retry_after)

    def meets(self, system: str, method: str, path: str) -> bool:
        """Whether the request is one of those it is about."""
        return (
            self.system == system
            and (self.method is None or self.method.upper() == method)
            and (self.path is None or re.search(self.path, path) is not None)
        )


class Faults:
    """The faults in force, in the order in which they were ordered; at most one meets a request."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._last = 0

    def add(self, fault: Fault) -> int:
        """Put it in force; its id."""
        self._last += 1
        self._faults[self._last] = fault
        return self._last

    def clear(self) -> None:
        """None from now on."""
        self._faults.clear()

    def all(self) -> list[dict[str, Any]]:
        """Those in force, with what is left of `skip` and `times`."""
        return [{"id": id_, **fault.model_dump()} for id_, fault in self._faults.items()]

    def take(self, system: str, method: str, path: str, more_pages: bool) -> Fault | None:
        """The fault that this request meets, counted; `more_pages` says that it asks for page two or later."""
        for id_, fault in list(self._faults.items()):
            if not fault.meets(system, method, path) or (fault.kind == "partial" and not more_pages):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    del self._faults[id_]
            return fault
        return None


def asks_for_more(query: str, body: bytes) -> bool:
    """Whether a request asks for page two or later, in any vendor's way of saying so."""
    told = _fields(body)
    asked = dict(parse_qsl(query)) | told | dict(told.get("variables") or {})
    first = {"page": 1, "startAt": 0, "startIndex": 1}
    past = any(
        str(asked.get(name, start)).isdecimal() and int(asked.get(name, start)) > start for name, start in first.items()
    )
    return past or bool(asked.get("cursor")) or bool(asked.get("after"))


def _fields(body: bytes) -> dict[str, Any]:
    """The fields of a body, JSON or a form; none for anything else."""
    try:
        fields = json.loads(body) if body[:1] == b"{" else dict(parse_qsl(body.decode()))
    except ValueError:
        return {}
    return dict(fields)


def answer(fault: Fault, path: str, now: datetime) -> Response:
    """What the vendor would say to a request of that path that meets `429`, `500`, `forbidden` or `partial` now."""
    status = {"429": 429, "forbidden": 403}.get(fault.kind, 500)
    wait = fault.wait(now)
    headers = {} if wait is None else {"Retry-After": wait}
    if path.startswith("/scim/"):
        words = {429: "ratelimited", 403: "missing_scope", 500: "internal_error"}[status]
        return JSONResponse({"Errors": {"description": words, "code": status}}, status, headers)
    if fault.system == SLACK and status == 403:
        return JSONResponse({"ok": False, "error": "restricted_action"})
    return JSONResponse(_wording(fault.system, status), status, headers)


def _wording(system: str, status: int) -> dict[str, Any]:
    """The body that the vendor sends with that status."""
    words = {429: "Too many requests", 403: "Forbidden", 500: "Internal server error"}[status]
    if system == GITHUB:
        own = {429: "You have exceeded a secondary rate limit.", 403: "Resource not accessible by integration"}
        return {"message": own.get(status, words), "status": str(status)}
    if system in (JIRA, JIRA_DATA_CENTER):
        return {"errorMessages": [words], "errors": {}}
    if system == SLACK:
        return {"ok": False, "error": "ratelimited" if status == 429 else "internal_error"}
    return {"errors": ["1 error occurred:\n\t* permission denied\n\n" if status == 403 else words.lower()]}
