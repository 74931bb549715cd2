"""What an open page looks at: one account, one of its repositories, and a thread in it, as its address says."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sandbox.console.cast import Cast, latest_thread
from sandbox.github.model import Account, Repository, Thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """What is looked at; an account may have no repository, and a repository no thread."""

    account: Account
    repository: Repository | None
    thread: Thread | None


def find_focus(cast: Cast, query: Mapping[str, str]) -> Focus:
    """Return what an address's query means. What it names and isn't there is passed over."""
    shown = {str(account.id): account for account in cast.shown_accounts()}
    account = shown.get(query.get("account", "")) or cast.default_account()
    owned = {str(repository.id): repository for repository in account.repositories}
    repository = owned.get(query.get("repository", "")) or next(iter(account.repositories), None)
    if repository is None:
        return Focus(account=account, repository=None, thread=None)
    number = query.get("thread", "")
    thread = repository.threads.get(int(number)) if number.isascii() and number.isdigit() else None
    if thread is None or thread.deleted_at is not None:
        thread = latest_thread(repository)
    return Focus(account=account, repository=repository, thread=thread)


def address(account: Account, repository: Repository | None = None, thread: Thread | None = None) -> str:
    """Return the query that leads to an account, and if given to one of its repositories and threads."""
    named = {"account": account.id}
    if repository is not None:
        named["repository"] = repository.id
    if thread is not None:
        named |= {"repository": thread.repository.id, "thread": thread.number}
    return f"?{urlencode(named)}"
