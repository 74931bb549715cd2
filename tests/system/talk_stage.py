"""The stage: the stand-in for GitHub with the whole cast on it, found by the names that the script uses."""

from typing import Final

from sandbox.clock import VirtualClock
from sandbox.github.model import Account, Comment, Repository, Thread
from sandbox.github.server import GitHubStandIn
from tests.system.talk_cast import (
    BOTS,
    HOMES,
    LONG_COMMENTS,
    LONG_THREAD,
    OWNERS,
    ROLES,
    THREADS,
    Home,
    Where,
    home_of,
    repository_of,
)
from tests.system.talk_script import OURSELVES

BILLING_DAY: Final = 28
"""Far from when the runs play, so that nothing is granted while people talk."""


class Stage:
    """Everybody and everything by name; names stay those of the script, whatever they are changed to at GitHub."""

    def __init__(self, github: GitHubStandIn) -> None:
        self.github = github
        self.repositories: dict[str, Repository] = {}
        self._places: dict[int, Where] = {}
        self._people: dict[str, Account] = {login: github.add_user(login, billing_day=BILLING_DAY) for login in ROLES}
        self._people |= {login: github.add_user(login, billing_day=BILLING_DAY) for login in OWNERS}
        self._people |= {login: github.add_bot(login) for login in BOTS}
        self._people[OURSELVES] = github.app_bot
        for home in HOMES:
            self._settle_in(home)

    @property
    def clock(self) -> VirtualClock:
        """Whose time it is."""
        return self.github.clock

    def account(self, home: Home | str) -> Account:
        """The account that owns repositories."""
        login = home if isinstance(home, str) else home.login
        return self._people[login]

    def person(self, name: str) -> Account:
        """Who is called so in the script."""
        return self._people[name]

    def thread(self, where: Where) -> Thread:
        """The thread, deleted ones included."""
        return self.repositories[repository_of(where)].threads[int(where.partition("#")[2])]

    def where(self, thread: Thread) -> Where:
        """What the script calls a thread."""
        return self._places[thread.id]

    def last_comment(self, where: Where, *, by_us: bool) -> Comment | None:
        """The newest comment that is ours, or that isn't."""
        ours = self.github.app_bot
        return next((each for each in reversed(self.thread(where).comments) if (each.author is ours) == by_us), None)

    def install_everywhere(self) -> None:
        """Have everybody install the App and buy what they buy; of some the product never hears."""
        for home in HOMES:
            account = self.account(home)
            if not home.is_known:
                self.github.webhook_faults.lose(event="installation*", times=None)
            self.github.install(account)
            self.github.webhook_faults.clear()
            if home.plan:
                self.github.buy(account, home.plan)

    def _settle_in(self, home: Home) -> None:
        """Set an account up with its repositories and threads, before anybody has installed anything."""
        github = self.github
        if home.is_organization:
            self._people[home.login] = github.add_organization(home.login, owner=home.owner, billing_day=BILLING_DAY)
        for name, is_private in home.repositories.items():
            repository = self.repositories[name] = github.add_repository(self.account(home), name, private=is_private)
            for person, role in ROLES.items():
                github.set_permission(repository, person, role)
            for number in range(1, THREADS + 1):
                thread = github.open_issue(repository, home.owner, "Something", pull_request=number == THREADS)
                where = self._places[thread.id] = f"{name}#{number}"
                if where == LONG_THREAD:
                    for _ in range(LONG_COMMENTS):
                        github.comment(thread, self._people[BOTS[0]], "One more build has passed.")


def home_of_thread(where: Where) -> Home:
    """Whose thread this is."""
    return home_of(repository_of(where))
