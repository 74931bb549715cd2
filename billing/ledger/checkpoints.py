"""Checkpoints: the heads of all accounts under one digest, chained and signed, so that no end of a journal can be cut.

An account's chain shows every change but one: entries taken off its end, with the account and its grants written back
to match. Each head that was ever checkpointed is under the digest of its checkpoint, and that one under all later
digests; so one digest, kept outside, vouches for every journal up to then
(docs/decisions/0029-checkpoints-over-all-heads.md).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from billing.ledger.chain import digest
from billing.values import EPOCH, AccountId, to_the_millisecond, value

MOST_HEADS: Final = 1000
"""How many heads a checkpoint adds at most, so that making one is a short transaction. Where there are more, several
follow each other."""

FIRST_DIGEST: Final = bytes(32)
"""What the first checkpoint follows."""

SignatureCheck = Callable[[bytes, bytes], bool]
"""Whether a key has signed a digest: takes the digest and the signature."""


@value
class Head:
    """Where an account's journal ended: the hash of the entry whose sequence number is the account's version."""

    account_id: AccountId
    version: int
    head: bytes


@value
class Checkpoint:
    """One link of the chain over all heads.

    Attributes:
        number: counts from 1 without gaps.
        made_at: when; never before its predecessor.
        accounts: how many heads it adds, of accounts that moved since their newest head.
        previous_digest, digest: the chain, 32 bytes each.
        key_id: which key has signed the digest; signature: 64 bytes of Ed25519.
    """

    number: int
    made_at: datetime
    accounts: int
    previous_digest: bytes
    digest: bytes
    key_id: str
    signature: bytes


@value
class HeldHead:
    """A head that a checkpoint vouches for, held against the journal.

    Attributes:
        booked: the hash of the entry that stands in the journal under that number; None if none does.
        has_account: whether there is such an account at all.
    """

    head: Head
    booked: bytes | None
    has_account: bool


@value
class Expectation:
    """A checkpoint's digest that was kept where the ledger isn't."""

    number: int
    digest: bytes


@value
class CheckpointOffence:
    """What is broken about a checkpoint, or about an entry that it vouches for.

    `account_id` is None and `seq` 0 where it is about the checkpoint itself. `has_unknown_key`: it names a key that
    isn't given, which may only have been changed; `is_expected`: it isn't the one whose digest was kept outside.
    """

    number: int
    problem: str
    account_id: AccountId | None = None
    seq: int = 0
    has_unknown_key: bool = False
    is_expected: bool = False


def digest_checkpoint(
    *, number: int, made_at: datetime, key_id: str, previous_digest: bytes, heads: Sequence[Head]
) -> bytes:
    """The digest over a checkpoint and the heads that it adds, which ascend by account; 32 bytes."""
    parts = [part for head in heads for part in (head.account_id, head.version, head.head)]
    return digest("checkpoint", (number, made_at, key_id, previous_digest, len(heads), *parts))


def next_checkpoint(
    last: Checkpoint | None,
    heads: Sequence[Head],
    *,
    now: datetime,
    key_id: str,
    sign: Callable[[bytes], bytes],
) -> Checkpoint:
    """The checkpoint that follows the last one and adds these heads, which ascend by account."""
    assert 0 < len(heads) <= MOST_HEADS, "checkpoints are bounded, and none is made of nothing"
    made_at = to_the_millisecond(now)
    number, previous_digest = 1, FIRST_DIGEST
    if last is not None:
        # A clock that was set back doesn't make it look as if the chain had been put together anew.
        number, previous_digest, made_at = last.number + 1, last.digest, max(made_at, last.made_at)
    own_digest = digest_checkpoint(
        number=number, made_at=made_at, key_id=key_id, previous_digest=previous_digest, heads=heads
    )
    return Checkpoint(
        number=number,
        made_at=made_at,
        accounts=len(heads),
        previous_digest=previous_digest,
        digest=own_digest,
        key_id=key_id,
        signature=sign(own_digest),
    )


class CheckpointAudit:
    """Goes through the checkpoints in ascending order, each with its heads held against the journal.

    Memory doesn't grow with the ledger.

    Args:
        keys: the known keys by id. Without any, signatures go unchecked.
        expected: digests that were kept outside.
    """

    def __init__(self, *, keys: Mapping[str, SignatureCheck], expected: Sequence[Expectation] = ()) -> None:
        self._keys = keys
        self._expected = {expectation.number: expectation.digest for expectation in expected}
        self._number = 0
        self._digest = FIRST_DIGEST
        self._made_at = EPOCH

    def read(self, checkpoint: Checkpoint, heads: Sequence[HeldHead]) -> CheckpointOffence | None:
        """The first offence of the next checkpoint. After one, the audit is over."""
        if problem := self._chain_problem(checkpoint, heads):
            return CheckpointOffence(number=checkpoint.number, problem=problem)
        if problem := self._signature_problem(checkpoint):
            is_unknown = checkpoint.key_id not in self._keys
            return CheckpointOffence(number=checkpoint.number, problem=problem, has_unknown_key=is_unknown)
        if problem := self._expectation_problem(checkpoint):
            return CheckpointOffence(number=checkpoint.number, problem=problem, is_expected=True)
        for held in heads:
            if problem := _head_problem(held):
                head = held.head
                return CheckpointOffence(
                    number=checkpoint.number, account_id=head.account_id, seq=head.version, problem=problem
                )
        self._number, self._digest, self._made_at = checkpoint.number, checkpoint.digest, checkpoint.made_at
        return None

    def close(self, *, stray: int | None) -> CheckpointOffence | None:
        """What is missing at the end. `stray` is a checkpoint that some head names and that isn't there."""
        if stray is not None:
            return CheckpointOffence(number=stray, problem="is missing, while heads that it vouches for are there")
        for number in sorted(self._expected):
            if not 0 < number <= self._number:
                return CheckpointOffence(
                    number=number,
                    problem=f"is missing: its digest was kept outside, but the last one is {self._number}",
                    is_expected=True,
                )
        return None

    def _chain_problem(self, checkpoint: Checkpoint, heads: Sequence[HeldHead]) -> str:
        if checkpoint.number != self._number + 1:
            return f"follows checkpoint {self._number}: those between are missing"
        if checkpoint.previous_digest != self._digest:
            return "doesn't follow the checkpoint before it"
        if checkpoint.accounts != len(heads):
            return f"vouches for {checkpoint.accounts} heads, of which {len(heads)} are there"
        own_digest = digest_checkpoint(
            number=checkpoint.number,
            made_at=checkpoint.made_at,
            key_id=checkpoint.key_id,
            previous_digest=checkpoint.previous_digest,
            heads=[held.head for held in heads],
        )
        if checkpoint.digest != own_digest:
            return "was changed, or a head that it vouches for was: its digest is another"
        return "was made before its predecessor" if checkpoint.made_at < self._made_at else ""

    def _signature_problem(self, checkpoint: Checkpoint) -> str:
        if not self._keys:
            return ""
        has_signed = self._keys.get(checkpoint.key_id)
        if has_signed is None:
            return f"names the key {checkpoint.key_id}, which is none of ours"
        return "" if has_signed(checkpoint.digest, checkpoint.signature) else "has a signature that its key didn't make"

    def _expectation_problem(self, checkpoint: Checkpoint) -> str:
        expected = self._expected.get(checkpoint.number, checkpoint.digest)
        return "" if checkpoint.digest == expected else "has another digest than the one that was kept outside"


def _head_problem(held: HeldHead) -> str:
    """What the journal lacks of this head; "" if it has it."""
    if not held.has_account:
        return "is gone, account and all: the checkpoint vouches for it"
    if held.booked is None:
        return "is missing: the checkpoint vouches for it"
    return "" if held.booked == held.head.head else "is another one than the checkpoint vouches for"
