"""References as people see them: the caller's ids, and none of the words by which an entry vouches for itself."""

import pytest

from billing.ledger.references import for_people

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
