"""The JSON of issues, comments and reactions in GitHub's REST API; its webhooks show them alike."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sandbox.github.model import Account, Comment, Reaction, Repository, Thread
from sandbox.github.shapes import application, rest_time, simple_user
from sandbox.github.shapes_repository import repository_page, repository_url
from sandbox.github.state import GitHubState

Json = dict[str, Any]


def author_association(repository: Repository, author: Account) -> str:
    """Return how somebody belongs to a repository, in GitHub's words, which say nothing sure of what they may do.

    A member of an organization who keeps that private is shown as a mere contributor, whatever the role; a public
    member who may only read is shown as a member. Here every second person's membership is private.
    """
    if author is repository.owner:
        return "OWNER"
    if author.id not in repository.roles and author.id != repository.owner.owner_id:
        return "NONE"
    if repository.owner.type == "User":
        return "COLLABORATOR"
    return "MEMBER" if author.id % 2 == 0 else "CONTRIBUTOR"


def thread_page(state: GitHubState, thread: Thread) -> str:
    """Return the address of a thread's page."""
    kind = "pull" if thread.is_pull_request else "issues"
    return f"{repository_page(state, thread.repository)}/{kind}/{thread.number}"


def comment_page(state: GitHubState, comment: Comment) -> str:
    """Return the address of a comment on its thread's page."""
    return f"{thread_page(state, comment.thread)}#issuecomment-{comment.id}"


def issue_url(state: GitHubState, thread: Thread) -> str:
    """Return a thread's address at the API; a pull request has one as an issue, too."""
    return f"{repository_url(state, thread.repository)}/issues/{thread.number}"


def comment_url(state: GitHubState, comment: Comment) -> str:
    """Return a comment's address at the API."""
    return f"{repository_url(state, comment.thread.repository)}/issues/comments/{comment.id}"


def _rollup(url: str, reactions: Iterable[Reaction]) -> Json:
    """Return how many reactions of each kind there are."""
    counts = Counter[str](reaction.content for reaction in reactions)
    kinds = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    return {"url": f"{url}/reactions", "total_count": counts.total(), **{kind: counts[kind] for kind in kinds}}


def issue(state: GitHubState, thread: Thread) -> Json:
    """Return an issue, or a pull request as the issue that it also is."""
    url, page = issue_url(state, thread), thread_page(state, thread)
    body: Json = {
        "url": url,
        "repository_url": repository_url(state, thread.repository),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": page,
        "id": thread.id,
        "node_id": thread.node_id,
        "number": thread.number,
        "title": thread.title,
        "user": simple_user(state, thread.author),
        "labels": [],
        "state": "open",
        "locked": thread.locked,
        "active_lock_reason": None,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(thread.comments),
        "created_at": rest_time(thread.created_at),
        "updated_at": rest_time(thread.updated_at),
        "closed_at": None,
        "author_association": author_association(thread.repository, thread.author),
        "body": thread.body or None,
        "performed_via_github_app": None,
        "reactions": _rollup(url, ()),
    }
    if thread.is_pull_request:
        pull = f"{repository_url(state, thread.repository)}/pulls/{thread.number}"
        body |= {
            "draft": False,
            "pull_request": {
                "url": pull,
                "html_url": page,
                "diff_url": f"{page}.diff",
                "patch_url": f"{page}.patch",
                "merged_at": None,
            },
        }
    return body


def issue_comment(state: GitHubState, comment: Comment) -> Json:
    """Return a comment. What the App has written, for itself or for somebody, says so."""
    url = comment_url(state, comment)
    return {
        "url": url,
        "html_url": comment_page(state, comment),
        "issue_url": issue_url(state, comment.thread),
        "id": comment.id,
        "node_id": comment.node_id,
        "user": simple_user(state, comment.author),
        "created_at": rest_time(comment.created_at),
        "updated_at": rest_time(comment.updated_at),
        "author_association": author_association(comment.thread.repository, comment.author),
        "body": comment.body,
        "reactions": _rollup(url, comment.reactions),
        "performed_via_github_app": application(state) if comment.via_app else None,
    }


def reaction(state: GitHubState, left: Reaction) -> Json:
    """Return a reaction."""
    return {
        "id": left.id,
        "node_id": f"REA_kw{left.id}",
        "user": simple_user(state, left.author),
        "content": left.content,
        "created_at": rest_time(left.created_at),
    }
