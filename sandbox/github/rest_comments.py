"""REST routes of comments and the reactions under them. Whoever asks by an installation's token writes as its bot."""

from datetime import datetime
from typing import get_args

from aiohttp import web

from sandbox.github import shapes_conversation as shapes
from sandbox.github.conversation_actors import LONGEST_BODY, ConversationActors
from sandbox.github.errors import ApiError, not_found
from sandbox.github.model import Comment, ReactionContent, Thread
from sandbox.github.rest_access import Access, repository_routes
from sandbox.github.rest_paging import page_of, since
from sandbox.github.state import GitHubState

_REACTIONS: tuple[ReactionContent, ...] = get_args(ReactionContent)
_LOCKED = "https://docs.github.com/articles/locking-conversations/"


class CommentRoutes:
    """Comments of issues and pull requests."""

    def __init__(self, state: GitHubState, actors: ConversationActors) -> None:
        """Remember the state and who acts on it."""
        self._state = state
        self._actors = actors
        self._access = Access(state)

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        of_thread, one = r"/issues/{number:\d+}/comments", r"/issues/comments/{comment_id:\d+}"
        app.add_routes(
            [
                *repository_routes("GET", of_thread, self.list_comments),
                *repository_routes("POST", of_thread, self.create),
                *repository_routes("GET", one, self.get),
                *repository_routes("PATCH", one, self.update),
                *repository_routes("DELETE", one, self.delete),
            ]
        )

    async def list_comments(self, request: web.Request) -> web.Response:
        """Answer `GET /repos/{owner}/{repo}/issues/{issue_number}/comments`, oldest first."""
        thread = self._access.thread(request, "read")
        changed_since = since(request.query)
        wanted = [comment for comment in thread.comments if changed_since is None or _second(comment) >= changed_since]
        path = f"/repositories/{thread.repository.id}/issues/{thread.number}/comments"
        page, headers = page_of(request, self._state, wanted, path=path)
        return web.json_response([shapes.issue_comment(self._state, comment) for comment in page], headers=headers)

    async def create(self, request: web.Request) -> web.Response:
        """Answer `POST /repos/{owner}/{repo}/issues/{issue_number}/comments`."""
        thread = self._access.thread(request, "write")
        _refuse_locked(thread, "comment")
        body = _checked(await self._access.written(request, "body"))
        made = self._actors.comment(thread, self._state.app_bot, body, via_app=True)
        shown = shapes.issue_comment(self._state, made)
        return web.json_response(shown, status=201, headers={"Location": shown["url"]})

    async def get(self, request: web.Request) -> web.Response:
        """Answer `GET /repos/{owner}/{repo}/issues/comments/{comment_id}`."""
        return web.json_response(shapes.issue_comment(self._state, self._access.comment(request, "read")))

    async def update(self, request: web.Request) -> web.Response:
        """Answer `PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}`."""
        comment = self._access.comment(request, "write")
        body = _checked(await self._access.written(request, "body"))
        self._actors.edit_comment(comment, body, self._state.app_bot)
        return web.json_response(shapes.issue_comment(self._state, comment))

    async def delete(self, request: web.Request) -> web.Response:
        """Answer `DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}`."""
        self._actors.delete_comment(self._access.comment(request, "write"), self._state.app_bot)
        return web.Response(status=204)


class ReactionRoutes:
    """Reactions under comments."""

    def __init__(self, state: GitHubState, actors: ConversationActors) -> None:
        """Remember the state and who acts on it."""
        self._state = state
        self._actors = actors
        self._access = Access(state)

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        path = r"/issues/comments/{comment_id:\d+}/reactions"
        app.add_routes(
            [
                *repository_routes("GET", path, self.list_reactions),
                *repository_routes("POST", path, self.create),
                *repository_routes("DELETE", path + r"/{reaction_id:\d+}", self.delete),
            ]
        )

    async def list_reactions(self, request: web.Request) -> web.Response:
        """Answer `GET /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions`, oldest first."""
        comment = self._access.comment(request, "read")
        content = request.query.get("content")
        wanted = [reaction for reaction in comment.reactions if content is None or reaction.content == content]
        path = f"/repositories/{comment.thread.repository.id}/issues/comments/{comment.id}/reactions"
        page, headers = page_of(request, self._state, wanted, path=path)
        return web.json_response([shapes.reaction(self._state, reaction) for reaction in page], headers=headers)

    async def create(self, request: web.Request) -> web.Response:
        """Answer `POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions`: 201 new, 200 there already."""
        comment = self._access.comment(request, "write")
        _refuse_locked(comment.thread, "reaction")
        wanted = await self._access.written(request, "content")
        content = next((known for known in _REACTIONS if known == wanted), None)
        if content is None:
            raise ApiError(
                422, "Validation Failed", errors=[{"resource": "Reaction", "field": "content", "code": "invalid"}]
            )
        before = len(comment.reactions)
        left = self._actors.react(comment, self._state.app_bot, content)
        status = 201 if len(comment.reactions) > before else 200
        return web.json_response(shapes.reaction(self._state, left), status=status)

    async def delete(self, request: web.Request) -> web.Response:
        """Answer `DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions/{reaction_id}`, of one's own."""
        comment = self._access.comment(request, "write")
        wanted = int(request.match_info["reaction_id"])
        for known in comment.reactions:
            if known.id == wanted and known.author is self._state.app_bot:
                self._actors.take_back(comment, known)
                return web.Response(status=204)
        raise not_found()


def _second(comment: Comment) -> datetime:
    """Return when a comment was last changed, as precisely as it is told."""
    return comment.updated_at.replace(microsecond=0)


def _refuse_locked(thread: Thread, what: str) -> None:
    """Refuse to add to a locked conversation, which Apps can't, whatever they may write elsewhere.

    Raises:
        ApiError: 403.
    """
    if thread.locked:
        raise ApiError(403, f"Unable to create {what} because issue is locked.", documentation_url=_LOCKED)


def _checked(body: object) -> str:
    """Return a comment's words.

    Raises:
        ApiError: 422; they are blank or too long.
    """
    text = str(body)
    problem = None
    if not text.strip():
        problem = "Body cannot be blank"
    elif len(text) > LONGEST_BODY:
        problem = f"Body is too long (maximum is {LONGEST_BODY} characters)"
    if problem is not None:
        error = {"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": problem}
        raise ApiError(422, "Validation Failed", errors=[error])
    return text
