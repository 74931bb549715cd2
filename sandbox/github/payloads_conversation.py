"""The JSON of GitHub's webhooks about comments and pull requests."""

from typing import Any, Literal

from sandbox.github import shapes_conversation, shapes_pull_request
from sandbox.github.model import Account, Comment, Thread
from sandbox.github.payloads_repository import surroundings
from sandbox.github.state import GitHubState

Json = dict[str, Any]
CommentAction = Literal["created", "edited", "deleted"]


def issue_comment_event(
    state: GitHubState, action: CommentAction, comment: Comment, *, sender: Account, changes: Json | None = None
) -> Json:
    """Return the body of `issue_comment`; one on a pull request has `issue.pull_request`."""
    more = {} if changes is None else {"changes": changes}
    return {
        "action": action,
        **more,
        "issue": shapes_conversation.issue(state, comment.thread),
        "comment": shapes_conversation.issue_comment(state, comment),
        **surroundings(state, comment.thread.repository, sender),
    }


def pull_request_event(state: GitHubState, thread: Thread) -> Json:
    """Return the body of `pull_request` for one that was opened."""
    return {
        "action": "opened",
        "number": thread.number,
        "pull_request": shapes_pull_request.pull_request(state, thread),
        **surroundings(state, thread.repository, thread.author),
    }
