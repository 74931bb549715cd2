"""References: the caller's ids as people see them, and the words by which an entry vouches for itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.ledger.entries import Entry
from billing.ledger.references import for_people, target_of, terms_of, timeout_of, until, word
from billing.values import EPOCH
from tests.billing.builders import History, day

DIGEST = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("", ""),
        ("repository:7#12", "repository:7#12"),
        (f"payment:2026-114 terms:{DIGEST}", "payment:2026-114"),
        (f"terms:{DIGEST},{DIGEST}", ""),
        (f"repository:7#12 until:1793612345678 hold:{DIGEST}", "repository:7#12"),
        ("entry:5 grant:2 reversed:20", "entry:5 grant:2"),
        ("two  blanks", "two  blanks"),
        # What only begins like a word of ours is the caller's.
        ("hold:12", "hold:12"),
        ("terms:of-service until:monday", "terms:of-service until:monday"),
    ],
)
def test_a_reference_is_shown_without_our_own_words(reference: str, shown: str) -> None:
    assert for_people(reference) == shown


def about(reference: str) -> Entry:
    """An entry with this reference."""
    history = History()
    history.install()
    return replace(history.journal[0], reference=reference)


def test_of_two_words_of_one_name_ours_counts_which_is_the_last() -> None:
    entry = about(f"until:1 reversed:5 {until(day(12, 1))} reversed:20")
    assert (timeout_of(entry), target_of(entry)) == (day(12, 1), 20)


def test_a_word_stands_between_blanks_and_goes_on_to_the_next() -> None:
    entry = about("call:7:8 tab\tuntil:5")
    assert (word(entry, "call"), word(entry, "until"), word(entry, "cal")) == ("7:8", "", "")


def test_times_are_told_in_milliseconds() -> None:
    assert until(EPOCH + timedelta(seconds=1)) == "until:1000"
    assert timeout_of(about("until:1000")) == EPOCH + timedelta(seconds=1)


@pytest.mark.parametrize("reference", ["", "repository:7#12", "until:soon reversed:some"])
def test_what_a_reference_leaves_out_is_nothing(reference: str) -> None:
    entry = about(reference)
    assert (timeout_of(entry), target_of(entry), terms_of(entry)) == (None, None, [])


def test_terms_of_several_grants_keep_their_order() -> None:
    assert terms_of(about("entry:5 terms:b,a")) == ["b", "a"]
