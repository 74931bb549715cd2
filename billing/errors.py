"""What billing refuses, and what it could not do for the moment.

Three kinds of failure exist in the program, each with one home. A *refusal* (`BillingError`) is an answer: it is told
to whoever asked and never retried. A *temporary failure* (`TemporaryFailureError`) is retried a bounded number of
times. Anything else is a bug: it escapes, is logged with the delivery's id and parks that delivery alone.
"""

from datetime import datetime


class BillingError(Exception):
    """A command was understood and refused. Never retried."""


class InvalidAmountError(BillingError):
    """An amount isn't a whole number of zero or more (or of one or more, where zero makes no sense)."""

    def __init__(self, what: str, value: object) -> None:
        super().__init__(f"{what} must be a whole number that isn't negative, not {value!r}")
        self.what = what
        self.value = value


class InvalidPlanCatalogError(BillingError):
    """The plan catalogue has a fault. The text names the place in the file and what would be right there."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


class UnknownCustomerError(BillingError):
    """No customer answers to this reference."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"there is no customer {reference}")
        self.reference = reference


class InsufficientCreditsError(BillingError):
    """The credits don't cover what was asked for. Amounts are in credits."""

    def __init__(self, *, requested: int, available: int) -> None:
        super().__init__(f"{requested} credits were asked for, {available} are available")
        self.requested = requested
        self.available = available


class IdempotencyConflictError(BillingError):
    """The key was used before, for another request. Nothing was done."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} was used before for another request")
        self.key = key


class InvalidKeyError(BillingError):
    """The idempotency key is empty, or of a form that the ledger keeps for its own entries. Nothing was done."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} is empty or begins like a key of the ledger's own; choose another one")
        self.key = key


class OutOfBoundsError(BillingError):
    """A text or a number of the request is such that the ledger can't keep it or look it up. Nothing was done."""

    def __init__(self, what: str, problem: str) -> None:
        super().__init__(f"{what} {problem}")
        self.what = what
        self.problem = problem


class ExpiredGrantError(BillingError):
    """Credits were to be granted with an expiry that has passed."""

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(f"the credits would have expired already, at {expires_at.isoformat()}")
        self.expires_at = expires_at


class InvalidTimeError(BillingError):
    """A moment or a span of time that makes no sense here, such as usage that is yet to happen."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class InvalidOriginError(BillingError):
    """Credits of this origin come about by themselves; nobody can ask for them."""

    def __init__(self, origin: str) -> None:
        super().__init__(f"credits of the origin {origin} can't be granted by request")
        self.origin = origin


class UnknownHoldError(BillingError):
    """The customer has no such hold."""

    def __init__(self, hold_id: int) -> None:
        super().__init__(f"there is no hold {hold_id}")
        self.hold_id = hold_id


class HoldEndedError(BillingError):
    """The hold was captured or released, or timed out, before. `state` says which."""

    def __init__(self, hold_id: int, state: str) -> None:
        super().__init__(f"the hold {hold_id} has ended: it is {state}")
        self.hold_id = hold_id
        self.state = state


class HoldExceededError(BillingError):
    """More was to be captured than is held. Amounts are in units: credits, and what money or nobody will pay."""

    def __init__(self, hold_id: int, *, requested: int, held: int) -> None:
        super().__init__(f"{requested} were to be captured of hold {hold_id}, which holds {held}")
        self.hold_id = hold_id
        self.requested = requested
        self.held = held


class HoldTooLongError(BillingError):
    """The hold would last longer than holds do. `latest_at` is when it can time out at the latest."""

    def __init__(self, latest_at: datetime) -> None:
        super().__init__(f"the hold can't last beyond {latest_at.isoformat()}")
        self.latest_at = latest_at


class UnknownGrantError(BillingError):
    """The customer was never granted this."""

    def __init__(self, grant_number: int) -> None:
        super().__init__(f"there is no grant {grant_number}")
        self.grant_number = grant_number


class UnknownEntryError(BillingError):
    """The customer's journal has no such entry."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"there is no entry {seq}")
        self.seq = seq


class EntryNotReversibleError(BillingError):
    """The entry can't be taken back. `reason` says why, and what can be done instead."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"entry {seq} can't be reversed: {reason}")
        self.seq = seq
        self.reason = reason


class CannotActError(BillingError):
    """GitHub lets us do nothing here: the App was suspended, or is installed no longer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TemporaryFailureError(Exception):
    """Something outside doesn't answer right now; the same step may succeed later.

    Attributes:
        reason: one line for people, without secrets.
        retry_after_seconds: how long the other side asked us to wait; None leaves it to our own back-off.
    """

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class LeaseLostError(TemporaryFailureError):
    """The delivery's partition was taken over by another worker meanwhile; that one finishes it."""

    def __init__(self, partition: str) -> None:
        super().__init__(f"the lease of {partition} was lost")
        self.partition = partition
