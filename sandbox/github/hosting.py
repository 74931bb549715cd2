"""The repositories that the stand-in hosts, their issues, pull requests and comments, and how they are found."""

import re
from collections.abc import Callable
from datetime import datetime

from sandbox.github.errors import ActionError
from sandbox.github.model import Account, Comment, Repository, Thread

RepositoryReference = Repository | int | str
"""A repository by itself, its id, or `owner/name`."""
ThreadReference = Thread | str
"""An issue or pull request by itself, or `owner/name#number`."""
CommentReference = Comment | int
"""A comment by itself or its id."""

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")


class Hosting:
    """All repositories, and where those are whose address has changed.

    Args:
        find_login: Returns who has a login now.
    """

    def __init__(self, find_login: Callable[[str], Account | None]) -> None:
        """Start without any."""
        self.repositories: dict[int, Repository] = {}
        self.comments: dict[int, Comment] = {}
        self._find_login = find_login
        self._former: dict[str, Repository] = {}

    def add(self, owner: Account, name: str, *, id: int, private: bool, created_at: datetime) -> Repository:  # noqa: A002 -- GitHub's own name
        """Create a repository.

        Raises:
            ActionError: The owner has one of that name, or it isn't a name.
        """
        self._check_name(owner, name)
        made = Repository(id=id, name=name, private=private, owner=owner, created_at=created_at)
        self.repositories[made.id] = made
        owner.repositories.append(made)
        return made

    def rename(self, repository: Repository, name: str) -> None:
        """Give a repository another name; its former address leads to it from now on.

        Raises:
            ActionError: The owner has another one of that name, or it isn't a name.
        """
        self._check_name(repository.owner, name, besides=repository)
        self.leave_address(repository)
        repository.name = name

    def leave_address(self, repository: Repository) -> None:
        """Let the address that a repository has now lead to it even when it has another one."""
        self._former[repository.full_name.lower()] = repository

    def find(self, owner: str, name: str) -> Repository | None:
        """Return what has this address now, without regard to case."""
        account = self._find_login(owner)
        for known in () if account is None else account.repositories:
            if known.name.lower() == name.lower():
                return known
        return None

    def find_moved(self, owner: str, name: str) -> Repository | None:
        """Return what had this address before."""
        return self._former.get(f"{owner}/{name}".lower())

    def repository(self, reference: RepositoryReference) -> Repository:
        """Find a repository.

        Raises:
            ActionError: There is none.
        """
        if isinstance(reference, Repository):
            return reference
        if isinstance(reference, int):
            found = self.repositories.get(reference)
        else:
            owner, _, name = reference.partition("/")
            found = self.find(owner, name)
        if found is None:
            raise ActionError(f"there is no repository {reference!r}")
        return found

    def threads(self) -> list[Thread]:
        """Return all issues and pull requests that aren't deleted, oldest first."""
        living = (thread for known in self.repositories.values() for thread in known.threads.values())
        return sorted((thread for thread in living if thread.deleted_at is None), key=lambda thread: thread.id)

    def thread(self, reference: ThreadReference) -> Thread:
        """Find an issue or pull request.

        Raises:
            ActionError: There is none, or it was deleted.
        """
        if isinstance(reference, Thread):
            found: Thread | None = reference
        else:
            address, _, number = reference.rpartition("#")
            threads = self.repository(address).threads
            found = threads.get(int(number)) if number.isascii() and number.isdigit() else None
        if found is None or found.deleted_at is not None:
            raise ActionError(f"there is no issue {getattr(reference, 'name', reference)!r}")
        return found

    def comment(self, reference: CommentReference) -> Comment:
        """Find a comment.

        Raises:
            ActionError: There is none, or it was deleted.
        """
        found = self.comments.get(reference.id if isinstance(reference, Comment) else reference)
        if found is None or found.thread.deleted_at is not None:
            raise ActionError("there is no such comment")
        return found

    def _check_name(self, owner: Account, name: str, *, besides: Repository | None = None) -> None:
        """Refuse what GitHub wouldn't take as a repository's name."""
        if not _NAME.fullmatch(name):
            raise ActionError(f"a repository's name has up to 100 letters, digits, hyphens and dots, unlike {name!r}")
        if any(known.name.lower() == name.lower() and known is not besides for known in owner.repositories):
            raise ActionError(f"{owner.login} has a repository {name!r} already")
