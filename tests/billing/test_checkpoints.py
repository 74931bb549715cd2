"""Checkpoints: every change of one, and of what they vouch for, is found and named."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.ledger.checkpoints import (
    FIRST_DIGEST,
    MOST_HEADS,
    Checkpoint,
    CheckpointAudit,
    CheckpointOffence,
    Expectation,
    Head,
    HeldHead,
    SignatureCheck,
    digest_checkpoint,
    next_checkpoint,
)
from billing.values import AccountId
from tests.billing.builders import day

KEY_ID = "0123456789abcdef"


def sign(digest: bytes) -> bytes:
    """Stands for a signature: nobody else adds this word."""
    return sha256(b"ours" + digest).digest()


KEYS: dict[str, SignatureCheck] = {KEY_ID: lambda digest, signature: signature == sign(digest)}


def head(account_id: int, version: int) -> Head:
    return Head(
        account_id=AccountId(account_id), version=version, head=sha256(f"{account_id}:{version}".encode()).digest()
    )


def held(one: Head) -> HeldHead:
    return HeldHead(head=one, booked=one.head, has_account=True)


@dataclass(frozen=True)
class Link:
    """A checkpoint with its heads as they are found."""

    checkpoint: Checkpoint
    heads: tuple[HeldHead, ...]


def chain_of(*groups: Sequence[Head], signer: Callable[[bytes], bytes] = sign) -> list[Link]:
    links: list[Link] = []
    for number, heads in enumerate(groups):
        last = links[-1].checkpoint if links else None
        made = next_checkpoint(last, heads, now=day(12, 1 + number), key_id=KEY_ID, sign=signer)
        links.append(Link(made, tuple(held(one) for one in heads)))
    return links


CHAIN = chain_of([head(1, 3), head(2, 1), head(7, 9)], [head(1, 5)], [head(2, 2), head(8, 1)])


def offence_of(
    links: Sequence[Link],
    *,
    keys: dict[str, SignatureCheck] = KEYS,
    expected: Sequence[Expectation] = (),
    stray: int | None = None,
) -> CheckpointOffence | None:
    """What the audit says of these links."""
    audit = CheckpointAudit(keys=keys, expected=expected)
    for link in links:
        offence = audit.read(link.checkpoint, link.heads)
        if offence is not None:
            return offence
    return audit.close(stray=stray)


def others(value: object) -> Iterator[object]:
    """Values that differ from this one as little as possible."""
    match value:
        case bytes():
            yield value + b"\0"
            for place in range(len(value)):
                yield value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        case str():
            yield from (value + "0", value[1:], value[::-1])
        case int():
            yield from (value + 1, value - 1)
        case datetime():
            yield from (value + timedelta(milliseconds=1), value - timedelta(milliseconds=1))
        case _:
            raise AssertionError(value)


def changes(record: Any) -> Iterator[Any]:
    for field in fields(record):
        for other in others(getattr(record, field.name)):
            yield replace(record, **{field.name: other})


def test_checkpoints_hold_as_they_were_made() -> None:
    first, second, third = (link.checkpoint for link in CHAIN)

    assert offence_of(CHAIN) is None
    assert offence_of([]) is None
    assert [each.number for each in (first, second, third)] == [1, 2, 3]
    assert (first.previous_digest, second.previous_digest) == (FIRST_DIGEST, first.digest)
    assert [each.accounts for each in (first, second, third)] == [3, 1, 2]


def test_the_encoding_is_the_one_that_was_signed_by() -> None:
    """Digests are kept outside for years: whoever changes the encoding has to keep this one, too."""
    first = CHAIN[0].checkpoint
    parts: list[bytes] = [b"checkpoint", b"1", b"%d" % (first.made_at.timestamp() * 1000), KEY_ID.encode(), bytes(32)]
    parts += [b"3"]
    for one in (head(1, 3), head(2, 1), head(7, 9)):
        parts += [b"%d" % one.account_id, b"%d" % one.version, one.head]
    encoded = b"\x01" + b"".join(len(part).to_bytes(8, "big") + part for part in parts)

    assert first.digest == sha256(encoded).digest()


def test_every_change_of_a_checkpoint_is_found() -> None:
    for place, link in enumerate(CHAIN):
        for changed in changes(link.checkpoint):
            links = [*CHAIN[:place], Link(changed, link.heads), *CHAIN[place + 1 :]]
            found = offence_of(links)
            assert found is not None, changed
            assert found.number == changed.number
            assert (found.account_id, found.seq) == (None, 0)


def test_without_keys_all_but_the_signature_is_found() -> None:
    for place, link in enumerate(CHAIN):
        for changed in changes(link.checkpoint):
            links = [*CHAIN[:place], Link(changed, link.heads), *CHAIN[place + 1 :]]
            is_signature = changed.signature != link.checkpoint.signature
            assert (offence_of(links, keys={}) is None) is is_signature


def test_every_change_of_a_head_is_found() -> None:
    for place, link in enumerate(CHAIN):
        for number, one in enumerate(link.heads):
            for changed in changes(one.head):
                heads = (*link.heads[:number], replace(one, head=changed), *link.heads[number + 1 :])
                found = offence_of([*CHAIN[:place], Link(link.checkpoint, heads), *CHAIN[place + 1 :]])
                assert found == CheckpointOffence(
                    number=link.checkpoint.number,
                    problem="was changed, or a head that it vouches for was: its digest is another",
                )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"previous_digest": bytes(32)}, "doesn't follow the checkpoint before it"),
        ({"accounts": 2}, "vouches for 2 heads, of which 1 are there"),
        ({"number": 3}, "follows checkpoint 1: those between are missing"),
    ],
)
def test_what_was_changed_is_said(change: dict[str, Any], problem: str) -> None:
    links = [CHAIN[0], Link(replace(CHAIN[1].checkpoint, **change), CHAIN[1].heads), CHAIN[2]]

    found = offence_of(links)
    assert found is not None
    assert found.problem == problem


@given(st.data())
def test_a_head_that_was_left_out_or_put_elsewhere_is_found(data: st.DataObject) -> None:
    link = data.draw(st.sampled_from(CHAIN))
    heads = list(link.heads)
    moved = heads.pop(data.draw(st.integers(0, len(heads) - 1)))
    links = [Link(link.checkpoint, tuple(heads)) if each is link else each for each in CHAIN]

    found = offence_of(links)
    assert found is not None
    assert found.number == link.checkpoint.number
    assert "heads" in found.problem

    goal = data.draw(st.sampled_from([each for each in CHAIN if each is not link]))
    links = [Link(each.checkpoint, (*each.heads, moved)) if each is goal else each for each in links]
    assert offence_of(links) is not None


@pytest.mark.parametrize(
    ("changes_", "problem"),
    [
        ({"booked": None}, "is missing: the checkpoint vouches for it"),
        ({"booked": bytes(32)}, "is another one than the checkpoint vouches for"),
        ({"booked": None, "has_account": False}, "is gone, account and all: the checkpoint vouches for it"),
    ],
)
def test_what_the_journal_lacks_of_a_head_is_named(changes_: dict[str, Any], problem: str) -> None:
    link = CHAIN[2]
    changed = Link(link.checkpoint, (replace(link.heads[0], **changes_), link.heads[1]))

    assert offence_of([*CHAIN[:2], changed]) == CheckpointOffence(
        number=3, account_id=AccountId(2), seq=2, problem=problem
    )


def test_a_removed_checkpoint_is_missed() -> None:
    for place in range(2):
        found = offence_of([*CHAIN[:place], *CHAIN[place + 1 :]])
        assert found == CheckpointOffence(
            number=place + 2, problem=f"follows checkpoint {place}: those between are missing"
        )


def test_a_removed_last_checkpoint_is_missed_by_its_heads_or_from_outside() -> None:
    last = CHAIN[2].checkpoint

    by_heads = offence_of(CHAIN[:2], stray=3)
    from_outside = offence_of(CHAIN[:2], expected=[Expectation(number=3, digest=last.digest)])

    assert by_heads == CheckpointOffence(number=3, problem="is missing, while heads that it vouches for are there")
    assert from_outside == CheckpointOffence(
        number=3, problem="is missing: its digest was kept outside, but the last one is 2", is_expected=True
    )
    assert offence_of(CHAIN[:2]) is None


@pytest.mark.parametrize("number", [0, -1])
def test_a_number_that_no_checkpoint_has_is_missing(number: int) -> None:
    found = offence_of(CHAIN, expected=[Expectation(number=number, digest=bytes(32))])

    assert found is not None
    assert found.number == number


def test_a_chain_that_was_made_anew_with_the_key_differs_from_what_was_kept_outside() -> None:
    anew = chain_of([head(1, 2), head(2, 1)], [head(1, 3)], [head(2, 2)])
    kept = [Expectation(number=link.checkpoint.number, digest=link.checkpoint.digest) for link in CHAIN]

    assert offence_of(anew) is None
    assert offence_of(CHAIN, expected=kept) is None
    for expectation in kept:
        assert offence_of(anew, expected=[expectation]) == CheckpointOffence(
            number=expectation.number, problem="has another digest than the one that was kept outside", is_expected=True
        )


def test_a_chain_that_was_made_anew_without_the_key_is_not_ours() -> None:
    forged = chain_of([head(1, 2)], signer=lambda digest: digest)

    assert offence_of(forged) == CheckpointOffence(number=1, problem="has a signature that its key didn't make")
    assert offence_of(CHAIN, keys={"another": KEYS[KEY_ID]}) == CheckpointOffence(
        number=1, problem=f"names the key {KEY_ID}, which is none of ours", has_unknown_key=True
    )


def test_a_clock_that_was_set_back_makes_no_offence() -> None:
    last = CHAIN[2].checkpoint
    made = next_checkpoint(last, [head(9, 1)], now=day(11, 1), key_id=KEY_ID, sign=sign)

    assert made.made_at == last.made_at
    assert offence_of([*CHAIN, Link(made, (held(head(9, 1)),))]) is None


def test_one_before_its_predecessor_was_put_together_by_somebody_else() -> None:
    heads = [head(9, 1)]
    last = CHAIN[2].checkpoint
    digest = digest_checkpoint(number=4, made_at=day(11, 1), key_id=KEY_ID, previous_digest=last.digest, heads=heads)
    early = replace(
        last, number=4, made_at=day(11, 1), accounts=1, previous_digest=last.digest, digest=digest,
        signature=sign(digest),
    )  # fmt: skip

    assert offence_of([*CHAIN, Link(early, (held(heads[0]),))]) == CheckpointOffence(
        number=4, problem="was made before its predecessor"
    )


def test_times_are_kept_to_the_millisecond() -> None:
    made = next_checkpoint(None, [head(1, 1)], now=day(12, 1) + timedelta(microseconds=1999), key_id=KEY_ID, sign=sign)

    assert made.made_at == day(12, 1) + timedelta(milliseconds=1)


@pytest.mark.parametrize("count", [0, MOST_HEADS + 1])
def test_checkpoints_are_bounded(count: int) -> None:
    assert MOST_HEADS == 1000
    with pytest.raises(AssertionError, match=r"^checkpoints are bounded, and none is made of nothing$"):
        next_checkpoint(None, [head(1, 1)] * count, now=day(12, 1), key_id=KEY_ID, sign=sign)


def test_a_checkpoint_can_be_full() -> None:
    made = next_checkpoint(None, [head(1, 1)] * MOST_HEADS, now=day(12, 1), key_id=KEY_ID, sign=sign)
    assert made.accounts == 1000
