"""The JSON of GitHub's webhooks about organizations and repositories, and what all from a repository have."""

from typing import Any, Literal

from sandbox.github import shapes, shapes_repository
from sandbox.github.model import Account, Installation, Repository
from sandbox.github.payloads import simple_installation
from sandbox.github.state import GitHubState

Json = dict[str, Any]
RepositoryAction = Literal["renamed", "privatized", "publicized"]


def organization_item(state: GitHubState, account: Account) -> Json:
    """Return an organization as webhooks show it."""
    url = f"{state.api_url}/orgs/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": account.node_id,
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{state.web_url}/avatars/u/{account.id}?v=4",
        "description": None,
    }


def organization_renamed_event(
    state: GitHubState, installed: Installation, *, sender: Account, former_login: str
) -> Json:
    """Return the body of `organization` for a rename."""
    return {
        "action": "renamed",
        "changes": {"login": {"from": former_login}},
        "organization": organization_item(state, installed.account),
        "installation": simple_installation(installed),
        "sender": shapes.simple_user(state, sender),
    }


def surroundings(state: GitHubState, known: Repository, sender: Account) -> Json:
    """Return what every webhook from a repository says of where it happened and who did it."""
    body: Json = {
        "repository": shapes_repository.repository(state, known),
        "sender": shapes.simple_user(state, sender),
    }
    if known.owner.type == "Organization":
        body["organization"] = organization_item(state, known.owner)
    installed = state.installation_of(known.owner)
    if installed is not None:
        body["installation"] = simple_installation(installed)
    return body


def repository_event(
    state: GitHubState, action: RepositoryAction, known: Repository, *, sender: Account, changes: Json | None = None
) -> Json:
    """Return the body of `repository`."""
    more = {} if changes is None else {"changes": changes}
    return {"action": action, **more, **surroundings(state, known, sender)}
