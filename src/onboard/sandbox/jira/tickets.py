"""The simulated Jira's issues as tickets: looked for by label, shown, and moved from one status to another."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from onboard.sandbox.jira.calls import Call, JiraError, ok
from onboard.sandbox.jira.issues import find_issue
from onboard.sandbox.jira.state import STATUSES, Issue

#: The only query that is understood.
_JQL = re.compile(r'project = "?(?P<project>[A-Z][A-Z0-9_]+)"? AND labels = "(?P<label>[^"\s]+)"')


def search(call: Call) -> Response:
    """GET /search/jql (Cloud) and /search (Data Center), as far as `project = … AND labels = "…"` goes."""
    asked = _JQL.fullmatch(call.query.get("jql", ""))
    if asked is None:
        raise JiraError(400, 'Error in the JQL Query: only project = KEY AND labels = "LABEL" is understood here.')
    project = call.state.project(asked["project"])
    seen = project and "BROWSE_PROJECTS" in call.state.permissions_of(call.caller.user, [project])
    if project is None or not seen:
        raise JiraError(400, f"The value '{asked['project']}' does not exist for the field 'project'.")
    found = [_view(call, issue) for issue in project.issues if asked["label"] in issue.labels]
    if call.cloud:
        return ok({"issues": found, "isLast": True})
    return ok({"expand": "names,schema", "startAt": 0, "maxResults": 50, "total": len(found), "issues": found})


def list_transitions(call: Call) -> Response:
    """GET /issue/{issue}/transitions: to every status but the one that it is in."""
    _, issue = find_issue(call)
    told = [_transition(call, status) for status in STATUSES if status != issue.status]
    return ok({"expand": "transitions", "transitions": told})


def transition(call: Call) -> Response:
    """POST /issue/{issue}/transitions: `transition` with an id."""
    project, issue = find_issue(call)
    if "TRANSITION_ISSUES" not in call.state.permissions_of(call.caller.user, [project]):
        raise JiraError(403, "You do not have permission to transition this issue.")
    given = call.field("transition")
    wanted = str(given.get("id")) if isinstance(given, dict) else ""
    status = next((s for s in STATUSES if _id(s) == wanted and s != issue.status), None)
    if status is None:
        raise JiraError(400, "It seems that you have tried to perform an illegal workflow operation.")
    issue.status = status
    return Response(status_code=204)


def _transition(call: Call, status: str) -> dict[str, Any]:
    to = {"self": f"{call.base}/status/{_id(status)}", "id": _id(status), "name": status}
    return {"id": _id(status), "name": status, "to": to}


def _id(status: str) -> str:
    return str(11 + 10 * STATUSES.index(status))


def _view(call: Call, issue: Issue) -> dict[str, Any]:
    return {"id": str(issue.id), "key": issue.key, "self": f"{call.base}/issue/{issue.id}"}
