"""The JSON of GitHub's webhooks about comments."""

from typing import Any, Literal

from sandbox.github import shapes_conversation
from sandbox.github.model import Account, Comment
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
