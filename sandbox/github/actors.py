"""What people do at GitHub to accounts and installations; each act changes the state and tells the hooks."""

from collections.abc import Sequence

from sandbox.github import payloads, payloads_repository
from sandbox.github.courier import Courier
from sandbox.github.errors import ActionError
from sandbox.github.model import Account, Installation, Repository
from sandbox.github.state import AccountReference, GitHubState


class InstallationActors:
    """Installing, uninstalling and what lies between.

    An account is given by itself, its id or its login; the sender is the person who acts for it unless another is
    named.
    """

    state: GitHubState
    courier: Courier

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock."""
        raise NotImplementedError

    def add_user(self, login: str, *, email: str | None = None, billing_day: int = 1, id: int | None = None) -> Account:  # noqa: A002
        """Sign a user up."""
        return self.state.add_account(login, type="User", email=email, billing_day=billing_day, id=id)

    def add_organization(
        self,
        login: str,
        *,
        owner: AccountReference | None = None,
        email: str | None = None,
        billing_day: int = 1,
        id: int | None = None,  # noqa: A002 -- GitHub's own name
    ) -> Account:
        """Found an organization; an owner is made up for it if none is named."""
        return self.state.add_account(
            login, type="Organization", owner=owner, email=email, billing_day=billing_day, id=id
        )

    def installation(self, account: AccountReference) -> Installation:
        """Return the App's installation on an account.

        Raises:
            ActionError: It has none.
        """
        found = self.state.installation_of(self.state.account(account))
        if found is None:
            raise ActionError("the App isn't installed there")
        return found

    def install(
        self,
        account: AccountReference,
        *,
        sender: AccountReference | None = None,
        repositories: Sequence[str] | None = None,
        requester: AccountReference | None = None,
    ) -> Installation:
        """Install the App; an account that had it before gets a new installation with a new id.

        Args:
            account: On whom.
            sender: Who clicks.
            repositories: Names of the chosen repositories, made where there is none; all of them if absent, one called
                `project` being made for an account without any.
            requester: A member who had asked for it.

        Raises:
            ActionError: It is installed there already.
        """
        self.catch_up()
        target = self.state.account(account)
        if self.state.installation_of(target) is not None:
            raise ActionError(f"the App is installed on {target.login} already")
        now = self.state.clock.now()
        installed = Installation(
            id=self.state.next_id("installation"),
            account=target,
            created_at=now,
            updated_at=now,
            permissions=dict(self.state.app.permissions),
            events=list(self.state.app.events),
            repository_selection="all" if repositories is None else "selected",
            selected=[] if repositories is None else self._repositories_named(target, repositories),
        )
        if repositories is None and not target.repositories:
            self.state.add_repository(target, "project")
        self.state.add_installation(installed)
        self._tell_installation(
            installed, "created", sender, requester=None if requester is None else self.state.account(requester)
        )
        return installed

    def uninstall(self, account: AccountReference, *, sender: AccountReference | None = None) -> Installation:
        """Uninstall the App. What was bought stays bought."""
        self.catch_up()
        installed = self.installation(account)
        self.state.remove_installation(installed)
        self._tell_installation(installed, "deleted", sender)
        return installed

    def suspend(self, account: AccountReference, *, sender: AccountReference | None = None) -> Installation:
        """Suspend the installation: its tokens are refused and no new ones are made."""
        self.catch_up()
        installed = self.installation(account)
        if installed.suspended_at is not None:
            raise ActionError("the installation is suspended already")
        installed.suspended_at = self.state.clock.now()
        installed.suspended_by = self._sender(installed.account, sender)
        self._tell_installation(installed, "suspend", sender)
        return installed

    def unsuspend(self, account: AccountReference, *, sender: AccountReference | None = None) -> Installation:
        """Lift a suspension."""
        self.catch_up()
        installed = self.installation(account)
        if installed.suspended_at is None:
            raise ActionError("the installation isn't suspended")
        installed.suspended_at = installed.suspended_by = None
        self._tell_installation(installed, "unsuspend", sender)
        return installed

    def accept_permissions(
        self, account: AccountReference, permissions: dict[str, str], *, sender: AccountReference | None = None
    ) -> Installation:
        """Accept permissions that the App asks for anew."""
        self.catch_up()
        installed = self.installation(account)
        installed.permissions = {**installed.permissions, **permissions}
        self._tell_installation(installed, "new_permissions_accepted", sender)
        return installed

    def add_repositories(
        self,
        account: AccountReference,
        names: Sequence[str],
        *,
        private: bool = False,
        sender: AccountReference | None = None,
    ) -> list[Repository]:
        """Let the installation see further repositories; those that don't exist are made.

        Raises:
            ActionError: It sees one of them already, or the App isn't installed there.
        """
        self.catch_up()
        installed = self.installation(account)
        seen = {known.name for known in installed.repositories}
        if seen.intersection(names):
            raise ActionError("the installation sees some of these repositories already")
        added = self._repositories_named(installed.account, names, private=private)
        if installed.repository_selection == "selected":
            installed.selected.extend(added)
        self._tell_repositories(installed, sender, added=added)
        return added

    def remove_repositories(
        self, account: AccountReference, names: Sequence[str], *, sender: AccountReference | None = None
    ) -> list[Repository]:
        """Take repositories out of the installation's sight, which sees selected ones only from then on."""
        self.catch_up()
        installed = self.installation(account)
        removed = [known for known in installed.repositories if known.name in names]
        if len(removed) != len(names):
            raise ActionError("the installation doesn't see all of these repositories")
        installed.selected = [known for known in installed.repositories if known not in removed]
        installed.repository_selection = "selected"
        self._tell_repositories(installed, sender, removed=removed)
        return removed

    def rename(self, account: AccountReference, login: str, *, sender: AccountReference | None = None) -> Account:
        """Give an account another login. The App hears of it only where it is installed."""
        self.catch_up()
        target = self.state.account(account)
        former = target.login
        self.state.change_login(target, login)
        installed = self.state.installation_of(target)
        if installed is not None:
            body = payloads.installation_target_event(
                self.state, installed, sender=self._sender(target, sender), former_login=former
            )
            self.courier.emit("app", "installation_target", body, installation_id=installed.id)
            if target.type == "Organization" and "organization" in installed.events:
                body = payloads_repository.organization_renamed_event(
                    self.state, installed, sender=self._sender(target, sender), former_login=former
                )
                self.courier.emit("app", "organization", body, installation_id=installed.id)
        return target

    def _sender(self, account: Account, sender: AccountReference | None) -> Account:
        """Return who acts."""
        return self.state.human(account) if sender is None else self.state.account(sender)

    def _repositories_named(self, owner: Account, names: Sequence[str], *, private: bool = False) -> list[Repository]:
        """Return an account's repositories of these names, those made anew that don't exist yet."""
        return [
            self.state.hosting.find(owner.login, name) or self.state.add_repository(owner, name, private=private)
            for name in names
        ]

    def _tell_installation(
        self,
        installed: Installation,
        action: payloads.InstallationAction,
        sender: AccountReference | None,
        *,
        requester: Account | None = None,
    ) -> None:
        """Send `installation` to the App's hook."""
        installed.updated_at = self.state.clock.now()
        body = payloads.installation_event(
            self.state, action, installed, sender=self._sender(installed.account, sender), requester=requester
        )
        self.courier.emit("app", "installation", body, installation_id=installed.id)

    def _tell_repositories(
        self,
        installed: Installation,
        sender: AccountReference | None,
        *,
        added: Sequence[Repository] = (),
        removed: Sequence[Repository] = (),
    ) -> None:
        """Send `installation_repositories` to the App's hook."""
        installed.updated_at = self.state.clock.now()
        body = payloads.installation_repositories_event(
            self.state, installed, sender=self._sender(installed.account, sender), added=added, removed=removed
        )
        self.courier.emit("app", "installation_repositories", body, installation_id=installed.id)
