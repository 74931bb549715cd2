"""What an installation may see and do in repositories, and how the API refuses the rest."""

from typing import Any, Literal

from aiohttp import web

from sandbox.github.errors import ApiError, not_found
from sandbox.github.keys import InstallationToken
from sandbox.github.model import Comment, Repository, Thread
from sandbox.github.rest_app import json_body, require_installation
from sandbox.github.rest_middleware import Handler
from sandbox.github.state import GitHubState

Json = dict[str, Any]
_PREFIXES = ("/repos/{owner}/{repo}", r"/repositories/{repository_id:\d+}")
"""A repository's address by name, and the one by id to which former names lead."""


def repository_routes(method: str, path: str, handler: Handler) -> list[web.RouteDef]:
    """Return the routes of one operation in a repository, by name and by id."""
    return [web.route(method, prefix + path, handler) for prefix in _PREFIXES]


class Access:
    """Finds what a request is about, and lets nobody do more than GitHub would.

    The repository must be one that the token sees; what it doesn't see isn't there for it.
    """

    def __init__(self, state: GitHubState) -> None:
        """Remember the state."""
        self._state = state

    def repository(self, request: web.Request) -> tuple[InstallationToken, Repository]:
        """Return the token and the repository of a request.

        Raises:
            ApiError: 401 or 403 for the token, 404 for what it doesn't see, 301 or 307 for a former address.
        """
        token = require_installation(request, self._state)
        names = request.match_info
        if "repository_id" in names:
            found = self._state.repositories.get(int(names["repository_id"]))
        else:
            found = self._state.hosting.find(names["owner"], names["repo"])
            if found is None:
                moved = self._state.hosting.find_moved(names["owner"], names["repo"])
                if moved is not None and _sees(token, moved):
                    raise self._redirect(request, moved)
        if found is None or not _sees(token, found):
            raise not_found()
        return token, found

    def thread(self, request: web.Request, access: Literal["read", "write"]) -> Thread:
        """Return the issue or pull request of a request, which its token may read or write.

        Raises:
            ApiError: As for its repository; 404; 410 for one that was deleted; 403 for a missing permission.
        """
        token, repository = self.repository(request)
        found = repository.threads.get(int(request.match_info["number"]))
        if found is None:
            raise not_found()
        self._require(token, found, access)
        if found.deleted_at is not None:
            raise ApiError(410, "This issue was deleted")
        return found

    def comment(self, request: web.Request, access: Literal["read", "write"]) -> Comment:
        """Return the comment of a request, which its token may read or write.

        Raises:
            ApiError: As for its repository; 404, also if its issue was deleted; 403 for a missing permission.
        """
        token, repository = self.repository(request)
        found = self._state.hosting.comments.get(int(request.match_info["comment_id"]))
        if found is None or found.thread.repository is not repository or found.thread.deleted_at is not None:
            raise not_found()
        self._require(token, found.thread, access)
        return found

    async def written(self, request: web.Request, name: str) -> object:
        """Return the one field that a write's body must have.

        Raises:
            ApiError: 400 or 422.
        """
        body = await json_body(request)
        if name not in body:
            raise ApiError(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        if not isinstance(body[name], str):
            raise ApiError(422, f"Invalid request.\n\nFor 'properties/{name}', {body[name]} is not a string.")
        return body[name]

    def _require(self, token: InstallationToken, thread: Thread, access: Literal["read", "write"]) -> None:
        """Let pass who has the permission; what is public can be read without. A write is counted.

        Raises:
            ApiError: 403 for a missing permission, an archived repository, or too many writes.
        """
        granted = token.permissions.get("pull_requests" if thread.is_pull_request else "issues")
        if access == "read":
            if thread.repository.private and granted not in {"read", "write"}:
                raise _not_accessible()
            return
        if granted != "write":
            raise _not_accessible()
        if thread.repository.archived:
            raise ApiError(403, "Repository was archived so is read-only.")
        self._state.content_limits.count(token.installation.id)

    def _redirect(self, request: web.Request, moved: Repository) -> ApiError:
        """Return where a repository has moved: for good where nothing is written, else the same request is wanted."""
        rest = "".join(f"/{part}" for part in request.rel_url.raw_path.partition("/repos/")[2].split("/")[2:])
        query = f"?{request.query_string}" if request.query_string else ""
        url = f"{self._state.api_url}/repositories/{moved.id}{rest}{query}"
        reading = request.method == "GET"
        return ApiError(
            301 if reading else 307,
            "Moved Permanently" if reading else "Temporary Redirect",
            headers={"Location": url},
            url=url,
            documentation_url="https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects",
        )


def _sees(token: InstallationToken, repository: Repository) -> bool:
    """Tell whether a token opens a repository."""
    chosen = token.repository_ids is None or repository.id in token.repository_ids
    return chosen and repository in token.installation.repositories


def _not_accessible() -> ApiError:
    """Return what an App hears that lacks a permission."""
    return ApiError(403, "Resource not accessible by integration")
