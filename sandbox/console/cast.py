"""Who and what is ready to be used on the page: accounts, people with permissions, repositories, first threads."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sandbox.github.model import Account, Repository, Role, Thread
from sandbox.github.state import OWNER
from sandbox.github.world import World

DEFAULT_LOGIN: Final = "acme"
"""Whom the page shows at first: an organization, as most who buy."""

LABELS: Final = MappingProxyType(
    {"admin": "owner", "maintain": "maintainer", "write": "writer", "triage": "triager", "read": "reader"}
)
"""What somebody is called who may do so much in a repository."""

_MEMBERS: Final[tuple[tuple[str, Role], ...]] = (("mona", "maintain"), ("walt", "write"), ("rita", "read"))
_OUTSIDER: Final = "otto"
_BOT: Final = "helper[bot]"

_FIRST_BODY: Final = """\
Every second morning the arm draws **six** strokes instead of five, and the sixth goes over the edge of the table.

1. Switch it on
2. Let it draw a tally
3. Look at the table

Who has an idea?"""
_FIRST_CHANGE: Final = """\
`recieve` → `receive`. Found by a customer, on the front page of all places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can write in a repository, and what they are there, such as owner or outsider."""

    account: Account
    label: str


class Cast:
    """The people and places that the console makes up. Whatever else exists may be used as well.

    Args:
        world: Where they are made.
    """

    def __init__(self, world: World) -> None:
        """Make up the people; they have no accounts' cards, since they pay for nothing."""
        self._world = world
        self._members = {self._person(login): role for login, role in _MEMBERS}
        self._outsider = self._person(_OUTSIDER)
        self._bot = world.add_bot(_BOT)
        self._made_up = {person.id for person in (*self._members, self._outsider)}

    def leave_out(self, accounts: Iterable[int]) -> None:
        """Count further accounts, by their ids, among those made up to act for others."""
        self._made_up.update(accounts)

    def furnish(self, account: Account) -> None:
        """Give an account a private and a public repository, each with a thread, unless it has any."""
        if account.repositories:
            return
        private = self.add_repository(account, "tally-arm", private=True)
        self._world.open_issue(private, self._members_first(), "The sixth stroke misses the table", _FIRST_BODY)
        public = self.add_repository(account, "website", private=False)
        self._world.open_issue(
            public, self._members_first(), "Fix a typo on the front page", _FIRST_CHANGE, pull_request=True
        )

    def add_repository(self, account: Account, name: str, *, private: bool) -> Repository:
        """Add a repository in which each of the people has a part."""
        repository = self._world.add_repository(account, name, private=private)
        for person, role in self._members.items():
            if person.id not in {account.id, account.owner_id}:
                self._world.set_permission(repository, person, role)
        return repository

    def people(self, repository: Repository) -> list[Person]:
        """Return who can write in a repository, those with the most rights first."""
        owner = self._world.state.human(repository.owner)
        members = [self._world.state.account(number) for number in repository.roles]
        members.sort(key=lambda member: list(LABELS).index(repository.role_of(member)))
        people = [Person(account=person, label=LABELS[repository.role_of(person)]) for person in [owner, *members]]
        if not repository.private:
            people.append(Person(account=self._outsider, label="outsider"))
        return [*people, Person(account=self._bot, label="bot")]

    def shown_accounts(self) -> list[Account]:
        """Return who can install and buy: all but the vendor and those made up to act; organizations first."""
        state = self._world.state
        owners = {account.owner_id for account in state.accounts.values()}
        made_up = self._made_up | {state.app.owner.id}
        shown = [
            account
            for account in state.accounts.values()
            if account.id not in made_up and not (account.id in owners and account.login.endswith(OWNER))
        ]
        return sorted(shown, key=lambda account: (account.type == "User", account.id))

    def default_account(self) -> Account:
        """Return whom the page shows if it isn't told."""
        found = self._world.state.find_login(DEFAULT_LOGIN)
        return self.shown_accounts()[0] if found is None else found

    def _members_first(self) -> Account:
        """Return the first of the people."""
        return next(iter(self._members))

    def _person(self, login: str) -> Account:
        """Return a user of this login, signed up if there is none."""
        found = self._world.state.find_login(login)
        return self._world.add_user(login) if found is None else found


def ready_accounts(world: World, cast: Cast) -> list[Account]:
    """Return two users and two organizations to try things with, made at the first call.

    Each has another billing day.
    """
    if world.state.find_login("ada") is None:
        ada = world.add_user("ada", email="ada@example.com", billing_day=1)
        world.add_user("grace", email="grace@example.com", billing_day=15)
        world.add_organization("acme", owner=ada, email="billing@acme.example", billing_day=20)
        world.add_organization("initech", owner="grace", email="billing@initech.example", billing_day=31)
    accounts = [world.state.account(login) for login in ("acme", "initech", "ada", "grace")]
    for account in accounts:
        cast.furnish(account)
    return accounts


def latest_thread(repository: Repository) -> Thread | None:
    """Return the thread in which something happened last."""
    living = [thread for thread in repository.threads.values() if thread.deleted_at is None]
    return max(living, key=lambda thread: (thread.updated_at, thread.number), default=None)
