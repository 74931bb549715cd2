"""REST routes of repositories: themselves, who may do what there, and their issues and pull requests."""

from urllib.parse import unquote

from aiohttp import web

from sandbox.github import shapes_conversation, shapes_pull_request, shapes_repository
from sandbox.github.errors import ApiError, not_found
from sandbox.github.model import Repository, Thread
from sandbox.github.rest_access import Access, repository_routes
from sandbox.github.rest_paging import page_of, since
from sandbox.github.state import GitHubState


class RepositoryRoutes:
    """What `/repos` answers but for comments."""

    def __init__(self, state: GitHubState) -> None:
        """Remember the state."""
        self._state = state
        self._access = Access(state)

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        number = r"{number:\d+}"
        app.add_routes(
            [
                *repository_routes("GET", "", self.get),
                *repository_routes("GET", "/collaborators/{username}/permission", self.get_permission),
                *repository_routes("GET", "/issues", self.list_issues),
                *repository_routes("GET", f"/issues/{number}", self.get_issue),
                *repository_routes("GET", f"/pulls/{number}", self.get_pull),
            ]
        )

    async def get(self, request: web.Request) -> web.Response:
        """Answer `GET /repos/{owner}/{repo}`."""
        _, repository = self._access.repository(request)
        return web.json_response(shapes_repository.full_repository(self._state, repository))

    async def get_permission(self, request: web.Request) -> web.Response:
        """Answer `GET /repos/{owner}/{repo}/collaborators/{username}/permission`; bots and organizations have none."""
        _, repository = self._access.repository(request)
        login = unquote(request.match_info["username"])
        person = self._state.find_login(login)
        if person is None:
            raise not_found()
        if person.type != "User":
            raise ApiError(404, f"{login} is not a user")
        return web.json_response(shapes_repository.collaborator_permission(self._state, repository, person))

    async def list_issues(self, request: web.Request) -> web.Response:
        """Answer `GET /repos/{owner}/{repo}/issues`: issues and pull requests, the newest first unless asked otherwise.

        All of them are open here.
        """
        token, repository = self._access.repository(request)
        if repository.private and token.permissions.get("issues") not in {"read", "write"}:
            raise ApiError(403, "Resource not accessible by integration")
        wanted = [] if request.query.get("state") == "closed" else self._sorted(request, repository)
        page, headers = page_of(request, self._state, wanted, path=f"/repositories/{repository.id}/issues")
        return web.json_response([shapes_conversation.issue(self._state, thread) for thread in page], headers=headers)

    async def get_issue(self, request: web.Request) -> web.Response:
        """Answer `GET /repos/{owner}/{repo}/issues/{issue_number}`."""
        return web.json_response(shapes_conversation.issue(self._state, self._access.thread(request, "read")))

    async def get_pull(self, request: web.Request) -> web.Response:
        """Answer `GET /repos/{owner}/{repo}/pulls/{pull_number}`."""
        thread = self._access.thread(request, "read")
        if not thread.is_pull_request:
            raise not_found()
        return web.json_response(shapes_pull_request.pull_request(self._state, thread))

    def _sorted(self, request: web.Request, repository: Repository) -> list[Thread]:
        """Return a repository's threads as a query wants them."""
        changed_since, creator = since(request.query), request.query.get("creator", "").lower()
        wanted = [
            thread
            for thread in repository.threads.values()
            if thread.deleted_at is None
            and (changed_since is None or thread.updated_at.replace(microsecond=0) >= changed_since)
            and creator in {"", thread.author.login.lower()}
        ]
        match request.query.get("sort", "created"):
            case "created":
                wanted.sort(key=lambda thread: thread.number)
            case "updated":
                wanted.sort(key=lambda thread: (thread.updated_at, thread.number))
            case "comments":
                wanted.sort(key=lambda thread: (len(thread.comments), thread.number))
            case _:
                raise ApiError(
                    422, "Validation Failed", errors=[{"resource": "Issue", "field": "sort", "code": "invalid"}]
                )
        return wanted if request.query.get("direction") == "asc" else wanted[::-1]
