"""What a decision wants written beside the customer's state.

Answers to keep, notes, alarms, losses, sign-up places, replies to comments, and low balances.
"""

from datetime import datetime

from billing.commands import Note, Question
from billing.values import AccountId, CustomerId, GitHubAccountId, Provider, Reaction, value


@value
class Remembered:
    """The answer that was given for an idempotency key: the entry it wrote (`seq`), or a refusal (`refusal` not empty).

    `refusal` is a small JSON object: the refusal's class name and its fields.
    """

    account_id: AccountId
    key: str
    request_hash: bytes
    seq: int
    refusal: str
    recorded_at: datetime


@value
class NoteRow:
    """A note and the entry it belongs to."""

    account_id: AccountId
    seq: int
    note: Note


@value
class Alarm:
    """Something that a person must see. One row a kind and subject; `detail` is one line saying what to do."""

    kind: str
    subject: str
    detail: str


@value
class Recovery:
    """What the alarm was raised for is over: the next time, it is raised anew."""

    kind: str
    subject: str


@value
class Loss:
    """A Marketplace subscription that ended because GitHub stopped showing it. Too many of them stop further ones."""

    customer_id: CustomerId
    provider: Provider
    at: datetime


@value
class SignupSlot:
    """One of the places that an installing user has for organizations' sign-up credits within thirty days.

    The table's key is (installer, slot), so two transactions can't take the same one.
    """

    installer_id: GitHubAccountId
    slot: int
    customer_id: CustomerId
    taken_at: datetime


@value
class Reply:
    """What a comment gets: eyes and an answer in words, or a confused face and no words. It gets either once."""

    question: Question
    reaction: Reaction


@value
class LowBalance:
    """A balance crossed a threshold of the customer's plan on its way down. `seq` is the entry by which it did."""

    customer_id: CustomerId
    account_id: AccountId
    threshold: int
    balance: int
    seq: int
    at: datetime
