"""The simulated Jira's issues, as far as comments need them: create one, comment on it, read the comments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import Response

from onboard.sandbox.jira.calls import Call, JiraError, ok, user_view
from onboard.sandbox.jira.state import Comment, Issue, Project


def create_issue(call: Call) -> Response:
    """POST /issue: `fields` with a `project` (key or id) and a `summary`."""
    fields = call.field("fields")
    given = fields if isinstance(fields, dict) else {}
    named = given.get("project")
    wanted = named if isinstance(named, dict) else {}
    project = call.state.project(str(wanted.get("key") or wanted.get("id") or ""))
    if project is None or "CREATE_ISSUES" not in call.state.permissions_of(call.caller.user, [project]):
        raise JiraError(400, errors={"project": "valid project is required"})
    summary = given.get("summary")
    if not isinstance(summary, str) or not summary.strip() or "\n" in summary:
        raise JiraError(400, errors={"summary": "You must specify a summary of the issue."})
    labels, description = given.get("labels") or [], given.get("description") or ""
    if not isinstance(labels, list) or any(" " in str(label) for label in labels):
        raise JiraError(400, errors={"labels": "The label can't contain spaces."})
    if call.base.endswith("/3") and description and not _is_document(description):
        raise JiraError(400, errors={"description": "Operation value must be an Atlassian Document"})
    issue = call.state.add_issue(project, summary)
    issue.labels, issue.description = list(map(str, labels)), description
    return ok({"id": str(issue.id), "key": issue.key, "self": f"{call.base}/issue/{issue.id}"}, 201)


def add_comment(call: Call) -> Response:
    """POST /issue/{issue}/comment: `body` is a document in API version 3, text in version 2."""
    project, issue = find_issue(call)
    if "ADD_COMMENTS" not in call.state.permissions_of(call.caller.user, [project]):
        raise JiraError(403, "You do not have the permission to comment on this issue.")
    body = call.field("body")
    valid = _is_document(body) if call.base.endswith("/3") else isinstance(body, str) and body.strip()
    if not valid:
        raise JiraError(400, errors={"comment": "Comment body is not valid!"})
    comment = call.state.add_comment(issue, call.caller.user.key, body, call.now)
    return ok(_view(call, issue, comment), 201)


def list_comments(call: Call) -> Response:
    """GET /issue/{issue}/comment, oldest first."""
    _, issue = find_issue(call)
    start, size = max(call.number("startAt", 0), 0), max(call.number("maxResults", 5000), 0)
    shown = [_view(call, issue, comment) for comment in issue.comments[start : start + size]]
    return ok({"startAt": start, "maxResults": size, "total": len(issue.comments), "comments": shown})


def find_issue(call: Call) -> tuple[Project, Issue]:
    """The issue that the path names by key or id, and its project. Raises JiraError 404 unless the caller sees it."""
    named = call.path["issue"]
    for project in call.state.projects:
        found = next((issue for issue in project.issues if named in (issue.key, str(issue.id))), None)
        if found and "BROWSE_PROJECTS" in call.state.permissions_of(call.caller.user, [project]):
            return project, found
    raise JiraError(404, "Issue does not exist or you do not have permission to see it.")


def _is_document(body: Any) -> bool:
    if not isinstance(body, dict):
        return False
    return body.get("type") == "doc" and body.get("version") == 1 and isinstance(body.get("content"), list)


def _view(call: Call, issue: Issue, comment: Comment) -> dict[str, Any]:
    author = user_view(call, call.state.users[comment.author])
    at = _moment(comment.at)
    return {
        "self": f"{call.base}/issue/{issue.id}/comment/{comment.id}",
        "id": str(comment.id),
        "author": author,
        "updateAuthor": author,
        "body": comment.body,
        "created": at,
        "updated": at,
    }


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"
