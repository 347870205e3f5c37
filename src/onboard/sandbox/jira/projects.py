"""The simulated Jira's projects, project roles and permissions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from onboard.sandbox.jira.calls import Call, JiraError, ok, page, role_view
from onboard.sandbox.jira.state import (
    GLOBAL_PERMISSIONS,
    GROUP_ACTOR,
    PROJECT_PERMISSIONS,
    USER_ACTOR,
    Project,
    User,
)

CHECK_REACH = 1000


def list_projects(call: Call) -> Response:
    """GET /project: what the caller may browse."""
    return ok([_view(call, project) for project in _visible(call)])


def search_projects(call: Call) -> Response:
    """GET /project/search (Cloud): the same in pages of 50."""
    query = call.query.get("query", "").lower()
    keys = call.query.getlist("keys")
    found = [p for p in _visible(call) if query in f"{p.key} {p.name}".lower() and (not keys or p.key in keys)]
    return ok(page(call, [_view(call, project) for project in found]))


def get_project(call: Call) -> Response:
    """GET /project/{key or id}."""
    project = _project(call)
    return ok(_view(call, project) | {"roles": _role_urls(call, project), "components": [], "issueTypes": []})


def list_roles(call: Call) -> Response:
    """GET /role: the roles that all projects share."""
    call.needs_admin()
    roles = call.state.roles.items()
    return ok([{"self": f"{call.base}/role/{n}", "name": name, "id": n, "description": ""} for n, name in roles])


def project_roles(call: Call) -> Response:
    """GET /project/{key}/role: role name → URL."""
    return ok(_role_urls(call, administered(call)))


def get_role(call: Call) -> Response:
    """GET /project/{key}/role/{id}: the role with its actors; inactive users among them unless excluded."""
    project, role = administered(call), _role(call)
    view = role_view(call, project, role)
    if call.cloud and call.flag("excludeInactiveUsers"):
        inactive = {user.account_id for user in call.state.users.values() if not user.active}
        view["actors"] = [a for a in view["actors"] if a.get("actorUser", {}).get("accountId") not in inactive]
    return ok(view)


def add_actors(call: Call) -> Response:
    """POST /project/{key}/role/{id}: adds `user`, `group` and (Cloud) `groupId`; all or none of them."""
    project, role = administered(call), _role(call)
    adding = list(_named(call, call.body, adding=True))
    if not adding:
        raise JiraError(400, "Please provide at least one user or group to add to the project role.")
    present = {actor.ref for actor in project.actors.get(role, ())}
    for _, named, ref in adding:
        if ref in present:
            raise JiraError(400, f"'{named}' is already a member of the project role.")
    for kind, _, ref in adding:
        call.state.add_actor(project, role, kind, ref)
    return ok(role_view(call, project, role))


def set_actors(call: Call) -> Response:
    """PUT /project/{key}/role/{id}: replaces every actor by `categorisedActors`."""
    project, role = administered(call), _role(call)
    given = call.field("categorisedActors") or {}
    categories = {"user": USER_ACTOR, "group": GROUP_ACTOR, "groupId": f"{GROUP_ACTOR}-id"}
    chosen = list(_named(call, {short: given.get(long) for short, long in categories.items()}, adding=True))
    project.actors[role] = []
    for kind, _, ref in chosen:
        call.state.add_actor(project, role, kind, ref)
    return ok(role_view(call, project, role))


def remove_actor(call: Call) -> Response:
    """DELETE /project/{key}/role/{id}?user= | ?group= | ?groupId=: 204, or 404 for someone who isn't in it."""
    project, role = administered(call), _role(call)
    given = {name: [call.query[name]] for name in ("user", "group", "groupId") if call.query.get(name)}
    if len(given) != 1:
        raise JiraError(400, "Please provide exactly one user or group to remove from the project role.")
    [(_, named, ref)] = _named(call, given, adding=False)
    actors = project.actors.get(role, [])
    if all(actor.ref != ref for actor in actors):
        raise JiraError(404, f"'{named}' is not a member of the project role.")
    project.actors[role] = [actor for actor in actors if actor.ref != ref]
    return Response(status_code=204)


def my_permissions(call: Call) -> Response:
    """GET /mypermissions: what this caller may do, as far as the token's scopes let it."""
    wanted = [key for key in call.query.get("permissions", "").split(",") if key]
    if call.cloud and not wanted:
        raise JiraError(400, "The 'permissions' query parameter is required.")
    known = (*GLOBAL_PERMISSIONS, *PROJECT_PERMISSIONS)
    if unknown := [key for key in wanted if key not in known]:
        raise JiraError(400, errors=dict.fromkeys(unknown, "Unrecognized permission"))
    ref = call.query.get("projectKey") or call.query.get("projectId")
    held = call.state.permissions_of(call.caller.user, [_find(call, ref)] if ref else call.state.projects)
    held = held if call.caller.may_write else held & {"BROWSE_PROJECTS", "USER_PICKER"}
    return ok({"permissions": {key: _permission(key) | {"havePermission": key in held} for key in wanted or known}})


def check_permissions(call: Call) -> Response:
    """POST /permissions/check (Cloud): one account's rights in up to 1,000 projects; changes nothing."""
    account = call.field("accountId")
    user = call.state.user(account_id=str(account)) if account else call.caller.user
    if user is not call.caller.user and not call.caller.user.admin:
        raise JiraError(403, "Only Jira administrators can perform this operation.")
    if user is None:
        raise JiraError(400, errors={"accountId": "The user does not exist."})
    asked = call.field("projectPermissions") or []
    if sum(len(item.get("projects") or ()) for item in asked) > CHECK_REACH:
        raise JiraError(400, f"Only up to {CHECK_REACH} projects can be checked at once.")
    held = call.state.permissions_of(user, ())
    globally = [key for key in call.field("globalPermissions") or () if _known(key) and key in held]
    return ok({"globalPermissions": globally, "projectPermissions": list(_granted(call, user, asked))})


def _visible(call: Call) -> list[Project]:
    user, state = call.caller.user, call.state
    return [p for p in state.projects if "BROWSE_PROJECTS" in state.permissions_of(user, [p])]


def _find(call: Call, ref: str) -> Project:
    """The project, if the caller may browse it. Raises JiraError 404 otherwise, not telling which of the two it is."""
    project = call.state.project(ref)
    if project is None or project not in _visible(call):
        raise JiraError(404, f"No project could be found with key '{ref}'.")
    return project


def _project(call: Call) -> Project:
    return _find(call, call.path["project"])


def administered(call: Call) -> Project:
    """The project, if the caller administers it. Raises JiraError 404 otherwise, as the vendor's description has it."""
    project = _project(call)
    if "ADMINISTER_PROJECTS" not in call.state.permissions_of(call.caller.user, [project]):
        raise JiraError(404, "You cannot edit the configuration of this project.")
    return project


def _role(call: Call) -> int:
    role = call.path["role"]
    if not role.isdigit() or int(role) not in call.state.roles:
        raise JiraError(404, f"Can not retrieve a role actor for a null project role: there is no role {role}.")
    return int(role)


def _named(call: Call, given: Any, *, adding: bool) -> Iterable[tuple[str, str, str]]:
    """Actor type, name as given, and our reference of every user and group in `given`.

    Raises JiraError (404, on Data Center 410) where one of them doesn't exist, and for adding an inactive user.
    """
    if not isinstance(given, Mapping) or any(isinstance(names, str) for names in given.values()):
        raise JiraError(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    missing = 404 if call.cloud else 410
    for named in given.get("user") or ():
        user = call.state.user(account_id=named) if call.cloud else call.state.user(username=named, key=named)
        if user is None or (adding and not user.active):
            raise JiraError(missing, f"We can't find '{named}' in any accessible user directory.")
        yield USER_ACTOR, named, user.key
    by_name = ((name, call.state.group(name=name)) for name in given.get("group") or ())
    by_id = ((ref, call.state.group(group_id=ref)) for ref in (given.get("groupId") or () if call.cloud else ()))
    for named, group in (*by_name, *by_id):
        if group is None:
            raise JiraError(missing, f"We can't find '{named}' in any accessible group directory.")
        yield GROUP_ACTOR, named, group.id


def _view(call: Call, project: Project) -> dict[str, Any]:
    view = {
        "self": f"{call.base}/project/{project.id}",
        "id": str(project.id),
        "key": project.key,
        "name": project.name,
        "avatarUrls": {},
    }
    kind = {"projectTypeKey": "software", "simplified": False, "style": "classic", "isPrivate": False}
    return view | (kind if call.cloud else {})


def _role_urls(call: Call, project: Project) -> dict[str, str]:
    return {name: f"{call.base}/project/{project.id}/role/{role}" for role, name in call.state.roles.items()}


def _known(key: str) -> bool:
    if key not in GLOBAL_PERMISSIONS and key not in PROJECT_PERMISSIONS:
        raise JiraError(400, errors={key: "Unrecognized permission"})
    return True


def _permission(key: str) -> dict[str, Any]:
    kind = "GLOBAL" if key in GLOBAL_PERMISSIONS else "PROJECT"
    title = key.replace("_", " ").title()
    number = (*GLOBAL_PERMISSIONS, *PROJECT_PERMISSIONS).index(key)
    return {"id": str(number), "key": key, "name": title, "type": kind, "description": f"{title}."}


def _granted(call: Call, user: User, asked: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for item in asked:
        projects = [p for p in (call.state.project(str(ref)) for ref in item.get("projects") or ()) if p]
        for key in item.get("permissions") or ():
            _known(key)
            ids = [p.id for p in projects if key in call.state.permissions_of(user, [p])]
            yield {"permission": key, "issues": [], "projects": ids}
