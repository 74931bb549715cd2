"""The JSON of pull requests in GitHub's REST API."""

import hashlib
from typing import Any

from sandbox.github.model import Thread
from sandbox.github.shapes import rest_time, simple_user
from sandbox.github.shapes_conversation import author_association, issue_url, thread_page
from sandbox.github.shapes_repository import repository, repository_url
from sandbox.github.state import GitHubState

Json = dict[str, Any]


def _branch(state: GitHubState, thread: Thread, name: str) -> Json:
    """Return one end of a pull request; its commit is made up, for there are none here."""
    owner = thread.repository.owner
    return {
        "label": f"{owner.login}:{name}",
        "ref": name,
        "sha": _commit(thread, name),
        "user": simple_user(state, owner),
        "repo": repository(state, thread.repository),
    }


def _commit(thread: Thread, branch: str) -> str:
    """Return the id of a commit that stays the same for the same branch."""
    return hashlib.sha1(f"{thread.id}:{branch}".encode(), usedforsecurity=False).hexdigest()


def _links(state: GitHubState, thread: Thread, head: str) -> Json:
    """Return where the parts of a pull request are."""
    base = repository_url(state, thread.repository)
    url, issue = f"{base}/pulls/{thread.number}", issue_url(state, thread)
    return {
        "self": url,
        "html": thread_page(state, thread),
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{base}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{base}/statuses/{head}",
    }


def pull_request(state: GitHubState, thread: Thread) -> Json:
    """Return a pull request, open and with nothing in it."""
    branch = f"change-{thread.number}"
    links = _links(state, thread, _commit(thread, branch))
    page = links["html"]
    counts = ("additions", "deletions", "changed_files", "commits", "review_comments")
    return {
        "url": links["self"],
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": links["issue"],
        "comments_url": links["comments"],
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "statuses_url": links["statuses"],
        "_links": {name: {"href": link} for name, link in links.items()},
        "id": thread.id,
        "node_id": thread.node_id,
        "number": thread.number,
        "title": thread.title,
        "body": thread.body or None,
        "user": simple_user(state, thread.author),
        "author_association": author_association(thread.repository, thread.author),
        "state": "open",
        "locked": thread.locked,
        "active_lock_reason": None,
        "draft": False,
        "created_at": rest_time(thread.created_at),
        "updated_at": rest_time(thread.updated_at),
        "head": _branch(state, thread, branch),
        "base": _branch(state, thread, "main"),
        "comments": len(thread.comments),
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(("assignees", "labels", "requested_reviewers", "requested_teams"), ()),
        **dict.fromkeys(("assignee", "milestone", "closed_at", "merged_at", "merged_by", "merge_commit_sha")),
        "auto_merge": None,
        "maintainer_can_modify": False,
        "merged": False,
        "mergeable": True,
        "mergeable_state": "clean",
        "rebaseable": True,
    }
