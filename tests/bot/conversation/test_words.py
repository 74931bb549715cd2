"""What answers say: short, in whole sentences, and without effect whatever the names in them are."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from billing.conversation import BalanceNow, Expiring, Level, PlanChange
from billing.values import CommentId, Credits, Word
from bot.conversation.markdown import LONGEST_NAME, as_code
from bot.conversation.marker import Mark, mark_of, marked
from bot.conversation.words import Surroundings, account_page, answer
from handlers.comment_text import ANSWER_MARK, commands_in

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 15, tzinfo=UTC)
LINK = "https://tally.example/"

BALANCE = BalanceNow(
    plan="Pro",
    available=Credits(1042),
    level=Level.ENOUGH,
    expiring=Expiring(credits=Credits(20), at=datetime(2026, 12, 3, tzinfo=UTC)),
    monthly=Credits(60),
    renews_at=DECEMBER,
    change=None,
    is_on_free_trial=False,
    is_unconfirmed=False,
    has_unknown_plan=False,
)
ABOUT = Surroundings(
    login="octo-org",
    balance=BALANCE,
    shows_figures=True,
    now=NOW,
    slug="tally",
    slash_words=frozenset({"credits"}),
    account_page=LINK,
)


def said(word: Word, balance: BalanceNow | None, *, shows_figures: bool = True) -> str:
    """The answer to one word, without its footer."""
    text = answer([word], replace(ABOUT, balance=balance, shows_figures=shows_figures))
    return text.partition("\n\n<sub>")[0]


def test_credits_are_told_with_what_expires() -> None:
    assert said(Word.CREDITS, BALANCE) == (
        "`octo-org` has **1,042 credits** left, on the plan `Pro`.\n\nOf these, 20 expire on 3 December 2026."
    )


@pytest.mark.parametrize(
    ("held", "debt", "sentences"),
    [
        (0, 0, []),
        (1, 0, ["Another 1 credit is held for work that is under way."]),
        (3, 0, ["Another 3 credits are held for work that is under way."]),
        (0, 1, ["1 credit is owed: the plan's next credits, or bought ones, go there first."]),
        (
            1200,
            2,
            [
                "Another 1,200 credits are held for work that is under way.",
                "2 credits are owed: the plan's next credits, or bought ones, go there first.",
            ],
        ),
    ],
)
def test_what_is_held_and_owed_is_told_where_it_is_not_zero(held: int, debt: int, sentences: list[str]) -> None:
    balance = replace(BALANCE, expiring=None, held=Credits(held), debt=Credits(debt))

    assert said(Word.CREDITS, balance).split("\n\n")[1:] == ([" ".join(sentences)] if sentences else [])
    assert said(Word.PLAN, balance) == said(Word.PLAN, replace(BALANCE, expiring=None))
    assert "held" not in said(Word.CREDITS, balance, shows_figures=False)


@pytest.mark.parametrize(
    ("balance", "sentence"),
    [
        (replace(BALANCE, expiring=None), ""),
        (replace(BALANCE, expiring=Expiring(credits=Credits(1), at=NOW)), "Of these, 1 expires on 10 November 2026."),
        (
            replace(BALANCE, available=Credits(20), expiring=Expiring(credits=Credits(20), at=NOW)),
            "They expire on 10 November 2026.",
        ),
        (
            replace(BALANCE, available=Credits(1), expiring=Expiring(credits=Credits(1), at=NOW)),
            "It expires on 10 November 2026.",
        ),
        (
            replace(BALANCE, expiring=None, available=Credits(7), level=Level.LOW),
            f"That's running low. The next 60 credits come on 15 December 2026. [More about it]({LINK})",
        ),
        (
            replace(BALANCE, expiring=None, available=Credits(0), level=Level.USED_UP, renews_at=None),
            f"[More about it]({LINK})",
        ),
        (
            replace(BALANCE, expiring=None, is_on_free_trial=True),
            "The plan is on its free trial; its monthly credits come with the first paid month.",
        ),
        (
            replace(BALANCE, expiring=None, has_unknown_plan=True),
            "GitHub shows a plan that isn't set up here yet; its credits come as soon as it is.",
        ),
    ],
)
def test_what_becomes_of_the_credits_is_one_paragraph(balance: BalanceNow, sentence: str) -> None:
    assert said(Word.CREDITS, balance).partition("\n\n")[2] == sentence


def test_no_credits_are_said_in_words() -> None:
    balance = replace(BALANCE, available=Credits(0), level=Level.USED_UP, expiring=None)
    assert said(Word.CREDITS, balance).startswith("`octo-org` has **no credits** left, on the plan `Pro`.")
    one = replace(BALANCE, available=Credits(1))
    assert "**1 credit** left" in said(Word.CREDITS, one)


@pytest.mark.parametrize(
    ("balance", "text"),
    [
        (BALANCE, "gives 60 credits a month.\n\nThe next 60 credits come on 15 December 2026."),
        (
            replace(BALANCE, monthly=Credits(1)),
            "gives 1 credit a month.\n\nThe next 1 credit comes on 15 December 2026.",
        ),
        (replace(BALANCE, monthly=Credits(0), renews_at=None), "which has no monthly credits."),
        (
            replace(BALANCE, renews_at=datetime(2026, 11, 8, tzinfo=UTC)),
            "The next month began on 8 November 2026: its credits come once GitHub shows that it was paid for.",
        ),
        (
            replace(BALANCE, change=PlanChange(plan="Trial", at=DECEMBER)),
            "a month.\n\nThe plan changes to `Trial` on 15 December 2026.",
        ),
        (
            replace(BALANCE, change=PlanChange(plan="Trial", at=datetime(2027, 1, 15, tzinfo=UTC))),
            "a month.\n\nThe next 60 credits come on 15 December 2026. The plan changes to `Trial` on 15 January 2027.",
        ),
        (
            replace(BALANCE, renews_at=None, change=PlanChange(plan="", at=DECEMBER)),
            "a month.\n\nThe plan ends on 15 December 2026.",
        ),
        (replace(BALANCE, renews_at=None, change=PlanChange(plan="", at=None)), "a month.\n\nThe plan ends soon."),
        (
            replace(BALANCE, change=PlanChange(plan="Old one", at=None)),
            "a month.\n\nThe plan changes to `Old one` soon.",
        ),
        (
            replace(BALANCE, renews_at=None, is_unconfirmed=True),
            "as after a payment that failed, so no new credits come until it does.",
        ),
    ],
)
def test_the_plan_is_told_with_where_it_is_going(balance: BalanceNow, text: str) -> None:
    told = said(Word.PLAN, balance)
    assert told.startswith("`octo-org` is on the plan **`Pro`**, which ")
    assert told.endswith(text)


@pytest.mark.parametrize(
    ("level", "sentence"),
    [
        (Level.ENOUGH, "`octo-org` has **enough** credits."),
        (Level.LOW, "`octo-org` is **low** on credits."),
        (Level.USED_UP, "`octo-org` has **used up** its credits."),
    ],
)
@pytest.mark.parametrize("words", [[Word.CREDITS], [Word.PLAN], [Word.CREDITS, Word.PLAN]])
def test_in_public_a_word_and_the_link_are_all_there_is(level: Level, sentence: str, words: list[Word]) -> None:
    balance = replace(BALANCE, level=level, change=PlanChange(plan="Secret", at=DECEMBER), is_unconfirmed=True)
    text = answer(words, replace(ABOUT, balance=balance, shows_figures=False))
    assert (sentence in text) == (Word.CREDITS in words)
    assert LINK in text
    for kept_back in ("Pro", "Secret", "1,042", "60", "2026", "December", "payment"):
        assert kept_back not in text
    assert re.search(r"[0-9]", text.replace("####", "")) is None


def test_who_has_no_account_is_told_kindly() -> None:
    for word in (Word.CREDITS, Word.PLAN):
        told = said(word, None)
        assert told.startswith("There is no account for `octo-org` yet, so there are no credits either.")
        assert told.endswith(f" [More about it]({LINK}).")
    assert "on a line of its own" in said(Word.HELP, None)


def test_help_names_each_way_that_works() -> None:
    told = said(Word.HELP, BALANCE)
    for way in ("/credits", "/credits plan", "/credits help", "@tally credits", "@tally plan", "@tally help"):
        assert f"`{way}`" in told
        assert commands_in(way, "tally", ABOUT.slash_words) == (Word(way.split()[-1].lstrip("/")),)


@pytest.mark.parametrize("slash_words", [set(), {"credits"}, {"plan"}, {"credits", "plan", "help"}, {"help"}])
def test_whatever_may_be_written_behind_a_slash_the_footer_offers_what_works(slash_words: set[str]) -> None:
    for word in Word:
        footer = answer([word], replace(ABOUT, slash_words=frozenset(slash_words))).splitlines()[-1]
        offered = re.findall(r"`([^`]+)`", footer)
        assert [commands_in(way, "tally", frozenset(slash_words)) for way in offered] == [
            (other,) for other in Word if word is not Word.HELP and other is not word
        ]
        assert footer.startswith("<sub>")
        assert footer.endswith(f"[About this bot]({LINK})</sub>")


def test_several_words_are_sections_of_one_answer() -> None:
    text = answer([Word.PLAN, Word.CREDITS, Word.HELP], ABOUT)
    assert re.findall(r"^#### (\w+)$", text, re.MULTILINE) == ["Plan", "Credits", "Help"]
    assert text.count("<sub>") == 1
    assert "#### " not in answer([Word.PLAN], ABOUT)


def test_no_answer_asks_anything_itself_or_calls_anybody() -> None:
    for words in ([Word.CREDITS], [Word.PLAN], [Word.HELP], list(Word)):
        text = answer(words, ABOUT)
        assert commands_in(text, "tally", frozenset(Word)) == ()
        assert "@" not in re.sub(r"`[^`]*`", "", text)
        assert "<img" not in MarkdownIt("commonmark").render(text)


def test_the_account_page_is_the_front_page() -> None:
    assert account_page("https://tally.example") == LINK


# Names of others -------------------------------------------------------------------------------------------------

HOSTILE = (
    "`", "``", "a`b", "`x`", "<!-- tallyhook:answer to=9 -->", "<!--", "@octocat", "#1", "octo/repo#7",
    "https://evil.example", "![](https://evil.example/x.png)", "<script>", "**bold**", "a\nb", "\u202egnp.exe",
    "<\u200b!--", "", "   ", "x" * 500, ":tada:",
)  # fmt: skip


@given(
    st.one_of(st.sampled_from(HOSTILE), st.text(alphabet="`<!->@#a \n*_[]()&;:/\\\u200b\u202e", max_size=40), st.text())
)
@example("<!-- tallyhook:answer to=1 -->")
def test_a_name_is_shown_and_does_nothing(name: str) -> None:
    shown = as_code(name)
    assert ANSWER_MARK not in shown
    assert "\n" not in shown
    rendered = MarkdownIt("commonmark").render(f"On {shown}, since then.")
    if shown == "*without a name*":
        assert not any(character.isprintable() and not character.isspace() for character in name)
        return
    found = re.fullmatch(r"<p>On <code>(.*)</code>, since then\.</p>\n", rendered)
    assert found is not None
    text = html.unescape(found[1])
    assert text.isprintable()
    assert len(text) <= LONGEST_NAME
    expected = "".join(each for each in " ".join(name.split()) if each.isprintable()).replace("<!--", "<! --")
    assert text == (expected if len(expected) <= LONGEST_NAME else f"{expected[: LONGEST_NAME - 1]}…")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_whole_answer_about_a_hostile_name_has_one_mark(name: str) -> None:
    balance = replace(BALANCE, plan=name, change=PlanChange(plan=name, at=DECEMBER))
    words = (Word.CREDITS, Word.PLAN)
    mark = Mark(answers_to=CommentId(5), words=words, has_figures=True)
    text = marked(answer(words, replace(ABOUT, login=name, balance=balance)), mark)
    assert text.count(ANSWER_MARK) == 1
    assert mark_of(text) == mark
    rendered = MarkdownIt("commonmark").render(text)
    assert re.findall(r"<(?!/?(?:p|h4|code|strong|em|sub|a)\b|!--)", rendered) == []
    assert rendered.count("<a ") == 1


# The hidden line -------------------------------------------------------------------------------------------------


@given(
    number=st.integers(min_value=1, max_value=2**63 - 1),
    words=st.lists(st.sampled_from(Word), unique=True),
    has_figures=st.booleans(),
    text=st.text(),
)
def test_an_answer_tells_which_comment_it_answers_and_what_it_tells(
    number: int, words: list[Word], *, has_figures: bool, text: str
) -> None:
    mark = Mark(answers_to=CommentId(number), words=tuple(words), has_figures=has_figures)
    assert mark_of(marked(text, mark)) == mark


def test_an_answer_that_says_less_of_itself_may_have_figures() -> None:
    unsaid = Mark(answers_to=CommentId(5), words=(), has_figures=True)
    assert mark_of("<!-- tallyhook:answer to=5 -->\nHello") == unsaid
    assert mark_of("<!-- tallyhook:answer to=5 words=weather,,plan,plan figures=yes -->") == Mark(
        answers_to=CommentId(5), words=(Word.PLAN,), has_figures=True
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Hello",
        " <!-- tallyhook:answer to=5 -->",
        "\n<!-- tallyhook:answer to=5 -->",
        "> <!-- tallyhook:answer to=5 -->",
        "<!-- tallyhook:answer to=-5 -->",
        "<!-- tallyhook:answer to=five -->",
        "<!-- tallyhook:answer to=5",
        "<!-- tallyhook:answer to=9999999999999999999 -->",
        "<!-- tallyhook:answer to=\u0665 -->",
        "<!-- tallyhook:answer to=5 words=CREDITS figures=no -->",
        "<!-- tallyhook:answer to=5 figures=perhaps -->",
    ],
)
def test_anything_else_is_no_answer(body: str) -> None:
    assert mark_of(body) is None
