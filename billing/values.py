"""The values that everything in billing is made of: ids, credits, times, origins.

Amounts are whole numbers in types of their own, never floats and never bare ints; times are aware, in UTC, and exact to
the millisecond, because that is what the database keeps.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, NewType, TypeVar, dataclass_transform

from billing.errors import InvalidAmountError

T = TypeVar("T")

CustomerId = NewType("CustomerId", int)
"""Ours. Whom we keep credits for."""

AccountId = NewType("AccountId", int)
"""Ours. A credit account: one unit of one customer, with one journal and one hash chain."""

GitHubAccountId = NewType("GitHubAccountId", int)
"""GitHub's immutable id of a user or an organization. Logins change hands, ids never do."""

InstallationId = NewType("InstallationId", int)
"""GitHub's id of the App on an account. A reinstallation gets a new one."""

DeliveryId = NewType("DeliveryId", int)
"""Ours. The inbox row of a delivery; GitHub's own delivery ids are unique in the inbox only."""

RepositoryId = NewType("RepositoryId", int)
"""GitHub's immutable id of a repository. Names change with a rename or a transfer."""

HoldId = NewType("HoldId", int)
"""Ours. A hold, numbered over all accounts."""

CommentId = NewType("CommentId", int)
"""GitHub's id of a comment in an issue or a pull request. A later comment has a higher one."""

NO_HOLD: Final = HoldId(0)
"""Stands where an entry concerns no hold."""

DEFAULT_UNIT: Final = "credit"
"""The unit of every account until a vendor names more. One credit is one fix."""

NEVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The expiry of what doesn't expire. A far value instead of None keeps sort keys free of NULL, which the two database
engines order differently."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@lru_cache(maxsize=256)
def to_milliseconds(moment: datetime) -> int:
    """The moment as whole milliseconds since 1970 in UTC, as the database and the hash chain keep it.

    Remembered, since a batch asks for few moments many times: when it is booked, when its grants expire.
    """
    return (moment - EPOCH) // _MILLISECOND


@lru_cache(maxsize=256)
def from_milliseconds(milliseconds: int) -> datetime:
    """The moment that `to_milliseconds` took apart. Remembered likewise."""
    return EPOCH + milliseconds * _MILLISECOND


def to_the_millisecond(moment: datetime) -> datetime:
    """The moment in UTC without what lies below a millisecond, so that it compares equal when read back."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    below = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - below) if below else moment


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(kind: type[T]) -> type[T]:
    """Make a class one of plain, slotted values that are compared by what they say.

    The type checker holds everybody to naming the fields and to leaving a value as it was made. Python isn't asked to
    do so as well: a frozen value takes three to six times as long to make, and a spend makes ten of them
    (docs/decisions/0080-values-are-frozen-by-the-type-checker.md).
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)


def copied(given: T) -> T:
    """A copy, to be changed before anybody else sees it: `dataclasses.replace` for the path of every spend.

    It takes a third of the time, and is for values of two fields or more.
    """
    kind: type = type(given)
    copy: T = kind(*_fields_of(kind)(given))
    return copy


@cache
def _fields_of(kind: type[Any]) -> Callable[[object], tuple[object, ...]]:
    """What reads all fields of such a value at once, in order."""
    return attrgetter(*[each.name for each in fields(kind)])


@dataclass(frozen=True, slots=True, order=True)
class Credits:
    """A whole number of credits, zero or more.

    Raises:
        InvalidAmountError: for a negative number, a float, a string, or a bool (which Python counts among the ints).
    """

    count: int

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 0:
            raise InvalidAmountError("credits", self.count)

    def __add__(self, other: "Credits") -> "Credits":
        return Credits(self.count + other.count)

    def __sub__(self, other: "Credits") -> "Credits":
        return Credits(self.count - other.count)

    def __bool__(self) -> bool:
        return self.count > 0


NO_CREDITS: Final = Credits(0)


class Category(enum.StrEnum):
    """Whether a grant was given or paid for. At equal expiry the promotional one burns first."""

    PROMOTIONAL = "promotional"
    PAID = "paid"


class Origin(enum.StrEnum):
    """Why a grant was made."""

    SIGNUP = "signup"
    PAYMENT_METHOD = "payment_method"
    PLAN = "plan"
    PURCHASE = "purchase"
    CHARGED = "charged"
    GOODWILL = "goodwill"
    REFUND_REVERSAL = "refund_reversal"
    MIGRATION = "migration"


class Provider(enum.StrEnum):
    """Who bills a subscription. A customer may have one at each."""

    GITHUB_MARKETPLACE = "github_marketplace"


class SubscriptionState(enum.StrEnum):
    """Where a subscription stands.

    `UNCONFIRMED` is a paid plan that GitHub no longer shows though nobody cancelled it: plans vanish for hours after a
    failed payment and come back, so it stands for 24 hours, without new grants.
    """

    TRIALING = "trialing"
    ACTIVE = "active"
    UNCONFIRMED = "unconfirmed"
    ENDED = "ended"


class InstallationState(enum.StrEnum):
    """Where an installation stands. `DELETED` is final: installing again makes a new installation."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class EntryKind(enum.StrEnum):
    """What an entry of the journal does. It is looked up for every move, so it hashes as the text that it equals."""

    __hash__ = str.__hash__

    GRANT = "grant"
    SPEND = "spend"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    EXTEND = "extend"
    EXPIRE = "expire"
    REVOKE = "revoke"
    CLAWBACK = "clawback"
    REINSTATE = "reinstate"
    REPAY = "repay"
    ADJUST = "adjust"
    WAIVE = "waive"
    REVERSE = "reverse"


class Place(enum.StrEnum):
    """Where credits are. A move takes them from one place to another.

    Of a grant: `GRANT` can be spent, `HELD` is set aside, `USED` was spent, `EXPIRED` came to its end, `REVOKED` was
    taken back. `ISSUED` is where grants come from. `DEBT` is what the customer owes, and `LENT` what stands against
    credits that were spent but should not have been; `WAIVED` pays for what is given for nothing. It hashes as
    `EntryKind` does.
    """

    __hash__ = str.__hash__

    GRANT = "grant"
    HELD = "held"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ISSUED = "issued"
    DEBT = "debt"
    LENT = "lent"
    WAIVED = "waived"


class HoldState(enum.StrEnum):
    """Where a hold stands. All but `OPEN` are final."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"
    TIMED_OUT = "timed_out"


class Word(enum.StrEnum):
    """What a person can ask in a comment."""

    CREDITS = "credits"
    PLAN = "plan"
    HELP = "help"


class Permission(enum.StrEnum):
    """What somebody may do in a repository, by GitHub's four levels: its `maintain` is write, `triage` read."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Reaction(enum.StrEnum):
    """How we react to a comment, by GitHub's names."""

    EYES = "eyes"
    CONFUSED = "confused"
