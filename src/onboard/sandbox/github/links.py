"""The links that GitHub puts on whatever it shows, as its API's description asks for them; the sandbox serves few."""

from __future__ import annotations

from urllib.parse import quote

_AVATARS = "https://avatars.githubusercontent.com/u"
_OF_A_USER = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_OF_AN_ORG = {
    "repos_url": "/repos",
    "events_url": "/events",
    "hooks_url": "/hooks",
    "issues_url": "/issues",
    "members_url": "/members{/member}",
    "public_members_url": "/public_members{/member}",
}
_OF_A_REPO = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def of_user(base: str, login: str, id_: int) -> dict[str, str]:
    """A user's, an owner's or a bot's (`name[bot]`, quoted)."""
    name = quote(login)
    return {
        "url": f"{base}/users/{name}",
        "html_url": f"https://github.com/{name}",
        "avatar_url": f"{_AVATARS}/{id_}",
        **{link: f"{base}/users/{name}{rest}" for link, rest in _OF_A_USER.items()},
    }


def of_org(base: str, login: str, id_: int) -> dict[str, str]:
    """An organisation's."""
    url = f"{base}/orgs/{login}"
    return {
        "url": url,
        "avatar_url": f"{_AVATARS}/{id_}",
        **{name: url + rest for name, rest in _OF_AN_ORG.items()},
    }


def of_repo(base: str, full_name: str) -> dict[str, str]:
    """A repository's, as lists show it."""
    url = f"{base}/repos/{full_name}"
    links = {"url": url, "html_url": f"https://github.com/{full_name}"}
    return links | {name: url + rest for name, rest in _OF_A_REPO.items()}


def to_clone(full_name: str) -> dict[str, str | None]:
    """The addresses that one repository is fetched from."""
    return {
        "git_url": f"git://github.com/{full_name}.git",
        "ssh_url": f"git@github.com:{full_name}.git",
        "clone_url": f"https://github.com/{full_name}.git",
        "svn_url": f"https://github.com/{full_name}",
        "mirror_url": None,
    }
