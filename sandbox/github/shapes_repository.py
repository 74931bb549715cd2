"""The JSON of repositories in GitHub's REST API, and of those who may do something there."""

from typing import Any

from sandbox.github.keys import InstallationToken
from sandbox.github.model import Account, Repository, Role
from sandbox.github.shapes import rest_time, simple_user
from sandbox.github.state import GitHubState

Json = dict[str, Any]

_REPOSITORY_LINKS = {
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


def repository(state: GitHubState, known: Repository) -> Json:
    """Return a repository in the long form that the API requires, with nothing in it."""
    full_name, owner = known.full_name, known.owner
    url, page = repository_url(state, known), repository_page(state, known)
    counts = (
        "forks",
        "forks_count",
        "open_issues",
        "open_issues_count",
        "size",
        "stargazers_count",
        "watchers",
        "watchers_count",
    )
    born = rest_time(known.created_at)
    return {
        "id": known.id,
        "node_id": known.node_id,
        "name": known.name,
        "full_name": full_name,
        "private": known.private,
        "visibility": "private" if known.private else "public",
        "owner": simple_user(state, owner),
        "html_url": page,
        "url": url,
        "description": None,
        "homepage": None,
        "language": None,
        "license": None,
        "mirror_url": None,
        "fork": False,
        "archived": known.archived,
        "disabled": False,
        "default_branch": "main",
        "clone_url": f"{page}.git",
        "git_url": f"git:{page.removeprefix('http:')}.git",
        "ssh_url": f"git@127.0.0.1:{full_name}.git",
        "svn_url": page,
        "has_downloads": True,
        "has_issues": True,
        "has_pages": False,
        "has_projects": False,
        "has_wiki": False,
        "created_at": born,
        "updated_at": born,
        "pushed_at": born,
        **dict.fromkeys(counts, 0),
        **{name: url + rest for name, rest in _REPOSITORY_LINKS.items()},
    }


def repository_url(state: GitHubState, known: Repository) -> str:
    """Return a repository's address at the API."""
    return f"{state.api_url}/repos/{known.full_name}"


def repository_page(state: GitHubState, known: Repository) -> str:
    """Return the address of a repository's page."""
    return f"{state.web_url}/{known.full_name}"


def full_repository(state: GitHubState, known: Repository) -> Json:
    """Return a repository as it is answered alone."""
    body = {**repository(state, known), "has_discussions": False, "network_count": 0, "subscribers_count": 0}
    if known.owner.type == "Organization":
        body["organization"] = simple_user(state, known.owner)
    return body


_LEVELS: dict[Role, str] = {"maintain": "write", "triage": "read"}
"""The finer roles as the four levels that `permission` knows; the finer name is told besides."""


def collaborator_permission(state: GitHubState, known: Repository, person: Account) -> Json:
    """Return what somebody may do in a repository."""
    role = known.role_of(person)
    order: tuple[Role, ...] = ("none", "read", "triage", "write", "maintain", "admin")
    rank = order.index(role)
    may = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    return {
        "permission": _LEVELS.get(role, role),
        "role_name": role,
        "user": {
            **simple_user(state, person),
            "permissions": {name: rank >= order.index(least) for name, least in may.items()},
            "role_name": role,
        },
    }


def access_token(state: GitHubState, token: InstallationToken) -> Json:
    """Return a new installation token."""
    body: Json = {
        "token": token.token,
        "expires_at": rest_time(token.expires_at),
        "permissions": token.permissions,
        "repository_selection": token.installation.repository_selection if token.repository_ids is None else "selected",
    }
    if token.repository_ids is not None:
        chosen = [known for known in token.installation.repositories if known.id in token.repository_ids]
        body["repositories"] = [repository(state, known) for known in chosen]
    return body
