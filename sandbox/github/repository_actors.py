"""What people do at GitHub to repositories, and to who may do what in them."""

from typing import Any

from sandbox.github import payloads_repository
from sandbox.github.actors import InstallationActors
from sandbox.github.errors import ActionError
from sandbox.github.hosting import RepositoryReference
from sandbox.github.model import Account, Repository, Role
from sandbox.github.state import AccountReference

Json = dict[str, Any]


class RepositoryActors(InstallationActors):
    """Creating, renaming, opening and closing repositories. One is given by itself, its id, or `owner/name`."""

    def add_repository(self, account: AccountReference, name: str, *, private: bool = False) -> Repository:
        """Create a repository. An installation that sees all of an account's repositories is told of it.

        Raises:
            ActionError: The account has one of that name, or it isn't a name.
        """
        self.catch_up()
        owner = self.state.account(account)
        made = self.state.add_repository(owner, name, private=private)
        installed = self.state.installation_of(owner)
        if installed is not None and installed.repository_selection == "all":
            self._tell_repositories(installed, None, added=[made])
        return made

    def set_permission(self, repository: RepositoryReference, account: AccountReference, role: Role) -> Repository:
        """Let a person do this much in a repository; `none` takes back what was given.

        Raises:
            ActionError: It is its owner, who may do everything, or no person.
        """
        known, person = self.state.hosting.repository(repository), self.state.account(account)
        if person.type != "User":
            raise ActionError(f"{person.login} is not a user")
        if person.id in {known.owner.id, known.owner.owner_id}:
            raise ActionError(f"{person.login} owns {known.full_name}")
        known.roles.pop(person.id, None)
        if role != "none":
            known.roles[person.id] = role
        self.state.changed()
        return known

    def rename_repository(
        self, repository: RepositoryReference, name: str, *, sender: AccountReference | None = None
    ) -> Repository:
        """Give a repository another name. Its former address leads to it until another one takes it."""
        self.catch_up()
        known = self.state.hosting.repository(repository)
        former = known.name
        self.state.hosting.rename(known, name)
        self.state.changed()
        self._tell_repository(known, "renamed", sender, changes={"repository": {"name": {"from": former}}})
        return known

    def set_visibility(
        self, repository: RepositoryReference, *, private: bool, sender: AccountReference | None = None
    ) -> Repository:
        """Make a repository private, or public. Nothing is sent if it is so already."""
        self.catch_up()
        known = self.state.hosting.repository(repository)
        if known.private != private:
            known.private = private
            self.state.changed()
            self._tell_repository(known, "privatized" if private else "publicized", sender)
        return known

    def archive(self, repository: RepositoryReference, *, archived: bool = True) -> Repository:
        """Make a repository read-only, or undo that."""
        known = self.state.hosting.repository(repository)
        known.archived = archived
        self.state.changed()
        return known

    def _tell_repository(
        self,
        known: Repository,
        action: payloads_repository.RepositoryAction,
        sender: AccountReference | None,
        *,
        changes: Json | None = None,
    ) -> None:
        """Send `repository` to the App's hook if the App hears of such."""
        body = payloads_repository.repository_event(
            self.state, action, known, sender=self._sender(known.owner, sender), changes=changes
        )
        self._tell_of(known, "repository", body)

    def _tell_of(self, known: Repository, event: str, body: Json) -> None:
        """Send what happened in a repository, where the App is installed, sees it, and has asked to hear of such."""
        installed = self.state.installation_of(known.owner)
        self.state.changed()
        if installed is None or installed.suspended_at is not None or event not in installed.events:
            return
        if known in installed.repositories:
            self.courier.emit("app", event, body, installation_id=installed.id, repository_id=known.id)

    def _person(self, reference: AccountReference) -> Account:
        """Return who writes, which an organization can't.

        Raises:
            ActionError: It is an organization.
        """
        found = self.state.account(reference)
        if found.type == "Organization":
            raise ActionError(f"{found.login} is not a user")
        return found
