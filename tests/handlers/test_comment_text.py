"""Which lines of a comment are commands: as people write them, as Markdown hides them, and in bounded time."""

import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing.values import Word
from handlers.comment_text import LONGEST_COMMENT, MOST_LINES, commands_in, might_command

SLUG = "tallyhook"
SLASH = frozenset({"credits"})

CREDITS, PLAN, HELP = (Word.CREDITS,), (Word.PLAN,), (Word.HELP,)


def asked(text: str, slash_words: frozenset[str] = SLASH) -> tuple[Word, ...]:
    """What the text asks. The edge, which knows the slug or doesn't, lets all of that through."""
    words = commands_in(text, SLUG, slash_words)
    assert not words or (might_command(text, SLUG, slash_words) and might_command(text, None, slash_words))
    return words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/credits", CREDITS),
        ("/credits plan", PLAN),
        ("/credits help", HELP),
        ("/credits credits", CREDITS),
        ("@tallyhook credits", CREDITS),
        ("@tallyhook plan", PLAN),
        ("@tallyhook help", HELP),
        ("@TallyHook Credits", CREDITS),
        ("/CREDITS Plan", PLAN),
        ("@tallyhook   credits", CREDITS),
        ("@tallyhook\tcredits", CREDITS),
        ("/credits?", CREDITS),
        ("@tallyhook credits ?!", CREDITS),
        ("/credits plan...", PLAN),
        ("/credits  \t ", CREDITS),
        ("   /credits", CREDITS),
        ("Hello,\n/credits\nThanks!", CREDITS),
        ("Hello,\r\n\r\n/credits\r\n", CREDITS),
        ("Hello,\r/credits\rThanks!", CREDITS),
        ("/credits plan\n/credits\n@tallyhook plan", (Word.PLAN, Word.CREDITS)),
        ("@tallyhook help\n\n/credits\n\n/credits plan\n", (Word.HELP, Word.CREDITS, Word.PLAN)),
    ],
)
def test_people_write_commands_in_many_ways(text: str, words: tuple[Word, ...]) -> None:
    assert asked(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@tallyhook credits please", CREDITS),
        ("@tallyhook credits, thanks", CREDITS),
        ("@tallyhook Plan: which one is it?", PLAN),
        ("@tallyhook help!!!", HELP),
        ("@tallyhook credits — how many?", CREDITS),
        ("@tallyhook credits… now", CREDITS),
        ("@tallyhook plan\u00a0please", PLAN),
        ("@tallyhook plan's price", PLAN),
        ("@tallyhook credits (all)", CREDITS),
        ("@tallyhook credits/plan", CREDITS),
        ("@tallyhook credits plan", CREDITS),
        ("@tallyhook credits 😀", CREDITS),
        ("  @tallyhook help me\nplease", HELP),
        ("@tallyhook credits, and\n@tallyhook plan too", (Word.CREDITS, Word.PLAN)),
    ],
)
def test_a_mention_with_a_word_is_a_command_whatever_follows(text: str, words: tuple[Word, ...]) -> None:
    assert asked(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "@tallyhook creditsplease",
        "@tallyhook credits-report",
        "@tallyhook credits_",
        "@tallyhook credits2",
        "@tallyhook plans",
        "@tallyhook planification",
        "@tallyhook creditsé",
        "@tallyhook credits\u6570",
        "@tallyhook helpful",
        "@tallyhook usages",
        "@tallyhook upgrade-plan",
    ],
)
def test_a_word_that_goes_on_is_another_word(text: str) -> None:
    assert asked(text) == ()
    assert not might_command(text, SLUG, SLASH)
    assert not might_command(text, None, SLASH)


@pytest.mark.parametrize("text", ["@tallyhook usage", "@tallyhook upgrade", "@TallyHook Usage, please"])
def test_words_of_ours_that_have_no_answer_to_themselves_get_help(text: str) -> None:
    assert asked(text) == HELP


@pytest.mark.parametrize("word", ["usage", "upgrade", "balance", "something-unknown", "5", "PLANS"])
def test_an_unknown_word_behind_the_slash_command_gets_help(word: str) -> None:
    assert asked(f"/credits {word}") == HELP


@pytest.mark.parametrize(
    "text",
    [
        "@tallyhook",
        "@tallyhook thanks",
        "@tallyhook balance",
        "@tallyhook please show credits",
        "@tallyhook, credits",
        "@tallyhook `credits`",
        "/credits please show",
        "/credits plan please",
        "/credits plan, thanks",
        "/usage",
        "/upgrade",
        "@tallyhook: credits",
        "@tallyhook\ncredits",
        "@tallyhook-other credits",
        "@tallyhoo credits",
        "@tallyhook/team credits",
        "foo@tallyhook credits",
        "see @tallyhook credits",
        "see /credits",
        "/credits to all of you",
        "/credits, please",
        "/credits/plan",
        "/creditsplan",
        "/credits@tallyhook",
        "/plan",
        "/help",
        "//credits",
        "\\/credits",
        "**/credits**",
        "- /credits",
        "1. /credits",
        "# /credits",
        "[/credits](https://example.com)",
        "\u00a0/credits",
        "/\u200bcredits",
        "/credit\u017f",
        "@tallyhoo\u212a credits",
    ],
)
def test_conversation_is_no_command(text: str) -> None:
    assert asked(text) == ()
    assert not might_command(text, SLUG, SLASH)


def test_bare_words_are_those_of_the_setting() -> None:
    every = frozenset(Word)
    assert asked("/plan", every) == PLAN
    assert asked("/help\n/credits", every) == (Word.HELP, Word.CREDITS)
    assert asked("/plan credits", every) == (), "only /credits takes a word"
    assert asked("/plan", frozenset({"plan"})) == PLAN
    assert asked("/credits", frozenset({"plan"})) == ()
    assert asked("/credits plan", frozenset({"plan"})) == ()
    assert asked("/usage", frozenset({"usage"})) == (), "what isn't ours yet is nobody's"
    assert asked("/credits\n/plan\n/", frozenset()) == ()
    assert asked("@tallyhook plan", frozenset()) == PLAN, "a mention always works"


def test_a_slug_is_taken_as_it_is_written() -> None:
    assert commands_in("@a.b credits", "a.b", SLASH) == CREDITS
    assert commands_in("@axb credits", "a.b", SLASH) == ()


def test_without_a_slug_any_mention_may_be_ours() -> None:
    assert might_command("@anybody-at_all credits", None, SLASH)
    assert might_command("@anybody-at_all credits, please", None, SLASH)
    assert might_command("@anybody-at_all usage", None, SLASH)
    assert not might_command("@anybody-at_all thanks", None, SLASH)
    assert not might_command("@anybody-at_all credits", SLUG, SLASH)


HIDDEN = {
    "a quote": "> /credits",
    "a quote that goes on by itself": "> They said:\n/credits",
    "a quote in a quote": "> > They said:\n/credits",
    "a quote in a list": "- > They said:\n/credits",
    "a fence": "```\n/credits\n```",
    "a fence with a language": "~~~ text\n/credits\n~~~",
    "a fence that never ends": "Look:\n\n```\n/credits\n\n\n/credits",
    "a fence that a shorter one doesn't end": "````\n```\n/credits\n````",
    "a fence in a list": "- a\n\n  ```\n  /credits\n  ```",
    "indented code": "Look:\n\n    /credits",
    "indented code by a tab": "\t/credits",
    "code over a line's end": "as `one\n/credits\ntwo` says",
    "nothing else in the code": "as `\n/credits\n` says",
    "code that goes on behind": "as `one\n@tallyhook credits` says",
    "code of two ticks": "as ``one ` two\n/credits\nthree`` says",
    "a comment": "<!--\n/credits\n-->",
    "a comment with an empty line": "<!-- write\n\n/credits\n\nto see -->",
    "a comment in a line": "Look <!-- here\n/credits\nor there -->",
    "a block of HTML": "<div>\n/credits\n</div>",
    "an attribute": 'Look at <b title="\n/credits\n">this</b>',
    "more lists in lists than anybody writes": "".join(f"{'  ' * depth}- a\n" for depth in range(40)) + "\n/credits",
}

SHOWN = {
    "after a quote": "> They said\n\n/credits",
    "after a heading that ends a quote": "> They said\n# So\n/credits",
    "after a rule that ends a quote": "> They said\n***\n/credits",
    "after a list that ends a quote": "> They said\n- so\n\n/credits",
    "after code in a quote": "> ```\n/credits",
    "after a fence": "```\ncode\n```\n/credits",
    "after indented code": "    code\n/credits",
    "after a comment": "<!-- hello -->\n/credits",
    "after HTML": "<details>\n\n/credits\n\n</details>",
    "after a heading": "# Hello\n/credits",
    "as a heading": "/credits\n---",
    "as a higher heading": "/credits\n===",
    "after a list": "- one\n- two\n/credits",
    "in a list": "- one\n\n  /credits",
    "after a table": "| a |\n|---|\n| b |\n/credits",
    "after a link's address": "[a]: https://example.com\n/credits",
    "between ticks that aren't code": "as ` one\n/credits\ntwo",
    "between ticks that are escaped": "as \\`one\n/credits\ntwo\\` says",
    "between ticks in two paragraphs": "as `one\n\n/credits\n\ntwo` says",
    "after code in a line": "as `one` says\n/credits",
    "after a line's end by a backslash": "Look\\\n/credits",
    "after a line's end by spaces": "Look  \n/credits",
    "between angles": "a < b\n/credits\nb > a",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN.keys())
def test_quotes_and_code_hold_no_commands(text: str) -> None:
    assert asked(text) == ()


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN.keys())
def test_what_is_not_hidden_counts(text: str) -> None:
    assert asked(text) == CREDITS


def test_code_that_begins_behind_a_command_hides_the_next() -> None:
    assert asked("@tallyhook plan, as `that\n/credits\nsays`") == PLAN
    assert asked('@tallyhook plan <b title="\n/credits\n">') == PLAN
    assert asked("@tallyhook plan <!--\n@tallyhook help me\n-->\n/credits") == (Word.PLAN, Word.CREDITS)
    assert asked("@tallyhook plan, as `that` says\n/credits") == (Word.PLAN, Word.CREDITS)
    assert asked("@tallyhook plan \\`\n/credits `") == PLAN
    assert asked("@tallyhook plan \\`\n/credits\n`") == (Word.PLAN, Word.CREDITS)


def test_a_hidden_command_hides_no_other() -> None:
    assert asked("> /credits\n\n@tallyhook plan\n\n```\n/credits help\n```") == PLAN


def test_the_character_that_stands_for_commands_is_nobodys() -> None:
    assert asked("\x000\n`a\n/credits\nb`\n\x002") == ()
    assert asked("\x00\n/credits") == CREDITS


def test_a_comment_longer_than_github_takes_is_not_read() -> None:
    command = "\n/credits"
    assert asked("a" * (LONGEST_COMMENT - len(command)) + command) == CREDITS
    assert asked("a" * (LONGEST_COMMENT - len(command) + 1) + command) == ()
    assert not might_command("a" * LONGEST_COMMENT + command, SLUG, SLASH)


def test_a_comment_of_more_lines_than_anybody_writes_is_not_read() -> None:
    assert asked("a\n" * (MOST_LINES - 1) + "/credits") == CREDITS
    assert asked("a\n" * MOST_LINES + "/credits") == ()
    assert not might_command("a\n" * MOST_LINES + "/credits", SLUG, SLASH)


LINES = st.sampled_from(
    [
        "", "", "/credits", "/credits plan", "@tallyhook help", "  /credits?", "    /credits", "/CREDITS x",
        "a", "a `b", "c` d", "``", "```", "~~~", "> a", ">", "> > /credits", "> ```", "- a", "- ", "  - b", "1. a",
        "   b", "\tc", "# a", "---", "===", "***", "<!--", "-->", "<div>", "</div>", '<b c="', '">', "<?", "?>", "\\",
        "a\\", "a  ", "[a]: b", "[a", "| a |", "|-|", "\x00", "\x0b", "\u2028", "\ud800", "&gt; a", "<https://a.b>",
        "<![CDATA[", "]]>", "@other plan", "@tallyhook plan `a", "@tallyhook usage <b c='", "@tallyhook credits\\",
        "@tallyhook help-", "@tallyhook plan, b` c",
    ]
)  # fmt: skip

TEXTS = st.builds(
    lambda lines, end: end.join(lines), st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n", "\r"])
)


@settings(max_examples=1000)
@given(text=TEXTS | st.text(max_size=200), slash_words=st.sets(st.sampled_from(Word)))
@example(text="/credits\u2028", slash_words={Word.CREDITS})
def test_the_edge_sees_every_command(text: str, slash_words: set[Word]) -> None:
    words = asked(text, frozenset(slash_words))
    assert len(words) == len(set(words)) <= len(Word)


@settings(max_examples=300)
@given(text=TEXTS)
def test_nothing_in_a_quote_is_a_command(text: str) -> None:
    quoted = "\n".join(f"> {line}" for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    assert asked(quoted) == ()
    assert asked(f"{quoted}\n\n/credits") == CREDITS


@settings(max_examples=300)
@given(text=TEXTS)
def test_nothing_in_a_fence_is_a_command(text: str) -> None:
    fenced = f"`````\n{text}\n`````"
    assert asked(fenced) == ()
    assert asked(f"{fenced}\n/credits") == CREDITS


def work(text: str) -> int:
    """How many functions are called to read the text: what time goes by, but the same on every machine."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        commands_in(text, SLUG, SLASH)
    finally:
        sys.setprofile(None)
    return calls


DEEP = ">" * 19

HOSTILE = [
    ">", "> ", "> \n", "> a\n", "- ", "- \n", "- a\n", "-\n", "* * \n", "1. ", "1. a\n", "`", "`\n", "```\n", "~~~ a\n",
    "`a``b", "\t", "\t\n", "\ta\n", "[", "[\n", "[a]: b\n", "[a](", "]", "!", "<", "<a ", "<a\n", "<a b='", "<!--",
    "<!--\n", "<?", "</a", "<div>\n\n", "#", "# a\n", "_", "---\n", "===\n", " ", "\n", "a\n", "a|", "|-", "\\", "\\\n",
    "&", "@", "@a ", "/credits ", "/credits\n", "?", "- > a\n", "> - a\n", f"{'>' * 30}a\n", f"{'- ' * 30}a\n", "\r",
    "\x00", "\ud800", "@tallyhook credits `\n", "@tallyhook plan ``a`\n", "@tallyhook help <a b='\n",
    "@tallyhook usage <!--\n",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE, ids=ascii)
@pytest.mark.parametrize(
    ("before", "after"), [("/credits\n", ""), ("", "\n/credits"), (f"{DEEP}a\n", "\n\n/credits")], ids=ascii
)
def test_reading_takes_time_in_proportion_to_the_text(before: str, piece: str, after: str) -> None:
    small, large = (work(before + piece * (size // len(piece)) + after) for size in (800, 1600))
    assert large < 2.5 * small + 1000


@pytest.mark.parametrize("before", ["", DEEP + "a\n", "- " * 9 + "a\n", "> - " * 6 + "a\n"], ids=ascii)
def test_no_comment_takes_long(before: str) -> None:
    # So many calls take about a fifth of a second.
    def longest(lines: Sequence[str]) -> str:
        return (before + "\n".join(lines))[: LONGEST_COMMENT - 10] + "\n/credits"

    for piece in ("b", "<", "_ _", "``", "1.", "/credits", "@tallyhook plan `"):
        assert work(longest([piece] * (MOST_LINES - 2))) < 2_000_000
    assert work(longest(["<a b='c' `" * 6_500])) < 2_000_000
