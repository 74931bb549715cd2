"""Everything the stand-in remembers, and how it is found."""

import random
import re
import secrets
import uuid
from collections.abc import Callable, Iterable

from sandbox.clock import VirtualClock
from sandbox.github.content_limits import ContentLimits
from sandbox.github.errors import ActionError
from sandbox.github.hosting import Hosting
from sandbox.github.keys import TokenVault, process_private_key
from sandbox.github.model import (
    Account,
    AccountType,
    AppRegistration,
    Event,
    Hook,
    HookDelivery,
    HookName,
    Installation,
    Plan,
    Purchase,
    Repository,
    Thread,
)

AccountReference = Account | int | str
PlanReference = Plan | int | str

DEFAULT_PERMISSIONS = {"checks": "write", "issues": "write", "metadata": "read", "pull_requests": "write"}
DEFAULT_EVENTS = ["installation_target", "issue_comment", "pull_request"]


def default_plans() -> list[Plan]:
    """Return the listing that the sandbox starts with: a free plan and a flat one."""
    return [
        Plan(
            id=1111,
            number=1,
            name="Free",
            description="Credits to try it with",
            price_model="FREE",
            monthly_price_in_cents=0,
            yearly_price_in_cents=0,
        ),
        Plan(
            id=1313,
            number=2,
            name="Pro",
            description="Sixty fixes a month",
            price_model="FLAT_RATE",
            monthly_price_in_cents=59_900,
            yearly_price_in_cents=599_000,
            bullets=("60 fixes a month", "Further fixes at 15 USD"),
        ),
    ]


FIRST_ID = 1001
_FIRST_IDS = {
    "account": 1_000_001,
    "bot": 200_000_001,
    "comment": 2_900_000_001,
    "issue": 2_700_000_001,
    "reaction": 250_000_001,
    "installation": 70_000_001,
    "hook": 500_000_001,
    "delivery": 18_000_000_000_001,
}
_OFFSET_KINDS = frozenset({"comment", "issue", "reaction", "repository"})
"""The ids by which a product knows what it has answered; accounts and installations are the same ones again."""
LONGEST_LOGIN = 39
BOT = "[bot]"
"""How the login of every App's bot ends, and nobody else's."""
OWNER = "-owner"
"""How the login of a person ends who is made up to act for an organization."""
_LOGIN = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{LONGEST_LOGIN - 1}}}")


class GitHubState:
    """The state of the pretended GitHub: one App with its listing, and the accounts around it.

    Args:
        clock: Whose time counts: for tokens, billing dates and the delivery log.
        seed: Makes what is random (tokens, delivery ids, faults) come out the same again.
        private_key_pem: The App's key; one for each process if absent.
        plans: The listing's plans.
        id_offset: How much higher the ids of repositories, issues, comments and reactions begin.
    """

    def __init__(
        self,
        clock: VirtualClock,
        *,
        seed: int = 0,
        private_key_pem: str | None = None,
        plans: Iterable[Plan] | None = None,
        id_offset: int = 0,
    ) -> None:
        """Set up an App that nobody has installed yet."""
        self.clock = clock
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 -- reproducible ids and faults, no secrets
        self.version = 0
        self.api_url = "http://127.0.0.1"
        self.web_url = "http://127.0.0.1"
        self.accounts: dict[int, Account] = {}
        self.bots: dict[int, Account] = {}
        self.hosting = Hosting(self.find_login)
        self.repositories = self.hosting.repositories
        self.content_limits = ContentLimits(clock)
        self.plans: dict[int, Plan] = {plan.id: plan for plan in (default_plans() if plans is None else plans)}
        self.installations: dict[int, Installation] = {}
        self._installed: dict[int, Installation] = {}
        self.purchases: dict[int, Purchase] = {}
        self.deliveries: dict[HookName, list[HookDelivery]] = {"app": [], "marketplace": []}
        self.tokens = TokenVault(seed=seed)
        self._last_ids = {kind: _FIRST_IDS.get(kind, FIRST_ID) - 1 + id_offset for kind in _OFFSET_KINDS}
        self._logins: dict[str, Account] = {}
        self._listeners: list[Callable[[], None]] = []
        owner = self.add_account("tallyhook-vendor", type="Organization", email="billing@vendor.example")
        now = clock.now()
        self.app = AppRegistration(
            id=424_242,
            client_id="Iv23liSandboxApp0001",
            client_secret=secrets.token_hex(20),
            slug="tallyhook-sandbox",
            name="Tallyhook Sandbox",
            description="The App that the stand-in serves",
            external_url="https://tallyhook.example",
            owner=owner,
            permissions=dict(DEFAULT_PERMISSIONS),
            events=list(DEFAULT_EVENTS),
            private_key_pem=process_private_key() if private_key_pem is None else private_key_pem,
            created_at=now,
            updated_at=now,
        )
        self.add_bot(self.app.slug)
        self.hooks: dict[HookName, Hook] = {"app": self._new_hook("app"), "marketplace": self._new_hook("marketplace")}

    # Bookkeeping -----------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Note that something changed, for whoever watches."""
        self.version += 1
        for listener in self._listeners:
            listener()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this after every change."""
        self._listeners.append(listener)

    def next_id(self, kind: str) -> int:
        """Return an id of this kind that was never used. Some don't fit 32 bits, as at GitHub."""
        self._last_ids[kind] = self._last_ids.get(kind, _FIRST_IDS.get(kind, FIRST_ID) - 1) + 1
        return self._last_ids[kind]

    def next_guid(self) -> str:
        """Return the id of a new event, as a GUID."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def replace_app(self, app: AppRegistration) -> None:
        """Serve another App from now on, which nobody has installed or bought yet.

        Its hook is made anew, the listing's stays.
        """
        self.app = app
        self.add_bot(app.slug)
        self.installations.clear()
        self._installed.clear()
        self.purchases.clear()
        self.tokens.revoke_all()
        self.deliveries["app"].clear()
        self.hooks["app"] = self._new_hook("app")
        self.changed()

    def _new_hook(self, name: HookName) -> Hook:
        """Return a hook with a secret and without an address."""
        return Hook(
            id=self.next_id("hook"), name=name, url=None, secret=secrets.token_hex(32), created_at=self.clock.now()
        )

    # Accounts --------------------------------------------------------------------------------------------------------

    def add_account(
        self,
        login: str,
        *,
        type: AccountType = "User",  # noqa: A002 -- GitHub's own name
        email: str | None = None,
        billing_day: int = 1,
        owner: AccountReference | None = None,
        id: int | None = None,  # noqa: A002 -- GitHub's own name
    ) -> Account:
        """Sign an account up.

        Args:
            login: Its name, free at the moment.
            type: User or Organization.
            email: The profile's address, or an organization's billing address.
            billing_day: The day of the month on which GitHub charges it.
            owner: Who acts for an organization.
            id: Its id; the next free one if absent.

        Raises:
            ActionError: The login or id is taken, or the login or the day isn't one.
        """
        _check_login(login)
        if login.lower() in self._logins:
            raise ActionError(f"the login {login!r} is taken")
        if not 1 <= billing_day <= 31:  # noqa: PLR2004 -- days of a month
            raise ActionError("a billing day lies between 1 and 31")
        number = self.next_id("account") if id is None else id
        if number in self.accounts:
            raise ActionError(f"the account id {number} is taken")
        account = Account(
            id=number,
            login=login,
            type=type,
            email=email,
            billing_day=billing_day,
            created_at=self.clock.now(),
            owner_id=None if owner is None else self.account(owner).id,
        )
        self.accounts[account.id] = account
        self._logins[login.lower()] = account
        self.changed()
        return account

    def account(self, reference: AccountReference) -> Account:
        """Find an account by itself, its id or its login.

        Raises:
            ActionError: There is none.
        """
        if isinstance(reference, Account):
            return reference
        found = self.find_id(reference) if isinstance(reference, int) else self.find_login(reference)
        if found is None:
            raise ActionError(f"there is no account {reference!r}")
        return found

    def find_id(self, account_id: int) -> Account | None:
        """Return who has this id, bots included."""
        return self.accounts.get(account_id, self.bots.get(account_id))

    def find_login(self, login: str) -> Account | None:
        """Return who has this login now, without regard to case."""
        return self._logins.get(login.lower())

    def change_login(self, account: Account, login: str) -> None:
        """Give an account another login; the old one is free from now on.

        Raises:
            ActionError: Somebody else has it, or it isn't one.
        """
        _check_login(login)
        holder = self.find_login(login)
        if holder is not None and holder is not account:
            raise ActionError(f"the login {login!r} is taken")
        for repository in account.repositories:
            self.hosting.leave_address(repository)
        del self._logins[account.login.lower()]
        account.login = login
        self._logins[login.lower()] = account
        self.changed()

    def human(self, account: Account) -> Account:
        """Return the person who acts for an account: itself, an organization's owner, or one made up for it."""
        if account.type != "Organization":
            return account
        if account.owner_id is None:
            name = account.login[: LONGEST_LOGIN - len(OWNER)]
            if self.find_login(name + OWNER) is not None:
                # An organization that had this login before has left its owner behind.
                number = f"-{account.id}"
                name = name[: LONGEST_LOGIN - len(OWNER) - len(number)] + number
            account.owner_id = self.add_account(name + OWNER).id
        return self.accounts[account.owner_id]

    def add_bot(self, login: str) -> Account:
        """Return the bot of this login, made if there is none yet; its login ends as every bot's does."""
        name = login.removesuffix(BOT)
        _check_login(name)
        known = self.find_login(name + BOT)
        if known is not None:
            return known
        bot = Account(
            id=self.next_id("bot"),
            login=name + BOT,
            type="Bot",
            email=None,
            billing_day=1,
            created_at=self.clock.now(),
        )
        self.bots[bot.id] = bot
        self._logins[bot.login.lower()] = bot
        self.changed()
        return bot

    @property
    def app_bot(self) -> Account:
        """The account that the App itself acts as."""
        return self.add_bot(self.app.slug)

    # Repositories ----------------------------------------------------------------------------------------------------

    def add_repository(self, owner: Account, name: str, *, private: bool = False) -> Repository:
        """Create a repository.

        Raises:
            ActionError: The owner has one of that name, or it isn't a name.
        """
        made = self.hosting.add(
            owner, name, id=self.next_id("repository"), private=private, created_at=self.clock.now()
        )
        self.changed()
        return made

    def threads(self) -> list[Thread]:
        """Return all issues and pull requests, oldest first."""
        return self.hosting.threads()

    # Installations, plans, purchases ---------------------------------------------------------------------------------

    def add_installation(self, installation: Installation) -> None:
        """Keep a new installation."""
        self.installations[installation.id] = installation
        self._installed[installation.account.id] = installation

    def remove_installation(self, installation: Installation) -> None:
        """End an installation; its id stays taken."""
        installation.deleted_at = self.clock.now()
        del self._installed[installation.account.id]

    def installation_of(self, account: Account) -> Installation | None:
        """Return the App's installation on an account, if it has one."""
        return self._installed.get(account.id)

    def live_installations(self) -> list[Installation]:
        """Return the installations that aren't deleted, oldest first."""
        return sorted(self._installed.values(), key=lambda installation: installation.id)

    def plan(self, reference: PlanReference) -> Plan:
        """Find a plan by itself, its id or its name.

        Raises:
            ActionError: There is none.
        """
        if isinstance(reference, Plan):
            return reference
        for plan in self.plans.values():
            if reference in {plan.id, plan.name}:
                return plan
        raise ActionError(f"there is no plan {reference!r}")

    def visible_purchase(self, account_id: int) -> Purchase | None:
        """Return the purchase that GitHub's API shows for an account; none while its payment has failed."""
        purchase = self.purchases.get(account_id)
        if purchase is None or (purchase.hidden_until is not None and self.clock.now() < purchase.hidden_until):
            return None
        return purchase

    # The delivery log ------------------------------------------------------------------------------------------------

    def log_delivery(self, delivery: HookDelivery) -> None:
        """Keep one attempt."""
        self.deliveries[delivery.event.hook].append(delivery)
        self.changed()

    def find_event(self, hook: HookName, delivery_id: int) -> Event | None:
        """Return the event that an attempt was about."""
        for delivery in self.deliveries[hook]:
            if delivery.id == delivery_id:
                return delivery.event
        return None


def _check_login(login: str) -> None:
    """Refuse what GitHub wouldn't take as a login."""
    if not _LOGIN.fullmatch(login):
        raise ActionError(f"a login has up to {LONGEST_LOGIN} letters, digits and hyphens, unlike {login!r}")
