"""What the storage refuses, each with the way out in its text."""

from billing.errors import BillingError


class UnsupportedDatabaseError(BillingError):
    """The address names no database that this program runs on. It isn't told itself: it may hold a password."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}; use sqlite:////absolute/path/of/the.db or postgresql://user:password@host/name")
        self.problem = problem


class DatabaseInUseError(BillingError):
    """Another process serves this SQLite file, or migrates it."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(
            f"{path} is in use by process {holder}; stop that one first, or use PostgreSQL, which several can share"
        )
        self.path = path
        self.holder = holder


class SchemaOutdatedError(BillingError):
    """The tables aren't those that this version of the program needs."""

    def __init__(self, *, current: str | None, head: str, is_newer: bool) -> None:
        found = "has no tables yet" if current is None else f"has the tables of revision {current}"
        way_out = "run the version that made them" if is_newer else "run `tallyhook migrate`"
        super().__init__(f"the database {found}, this version needs revision {head}; {way_out}")
        self.current = current
        self.head = head


class AmbiguousReferenceError(BillingError):
    """Several accounts were last seen under this login, as happens after a rename. Ids never change."""

    def __init__(self, reference: str, github_account_ids: tuple[int, ...]) -> None:
        ways = ", ".join(f"github:{account_id}" for account_id in github_account_ids)
        super().__init__(f"{reference} fits more than one account; name one of {ways}")
        self.reference = reference
        self.github_account_ids = github_account_ids


class LostUpdateError(Exception):
    """A bug: an account's head changed though its customer was locked. Nothing of the batch was written."""

    def __init__(self, account_ids: tuple[int, ...]) -> None:
        super().__init__(f"the heads of credit accounts {account_ids} were changed by another transaction")
        self.account_ids = account_ids
