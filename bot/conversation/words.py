"""What our answers say: all wording of the conversation, in one place.

Names of accounts and plans are others' texts and appear as code. Nobody is mentioned, nothing is loaded from elsewhere,
and there is no colour, so that an answer looks right in GitHub's light and dark pages.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from billing.conversation import BalanceNow, Expiring, Level, PlanChange
from billing.values import Credits, Word
from bot.conversation.markdown import as_code

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

TITLES: Final = {Word.CREDITS: "Credits", Word.PLAN: "Plan", Word.HELP: "Help"}

TELLS: Final = {
    Word.CREDITS: "how many credits are left, and until when",
    Word.PLAN: "which plan there is, what it gives, and what is about to change",
    Word.HELP: "this list",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an answer is about, and where it stands.

    Attributes:
        login: the account's.
        balance: what it has; None if it is no customer.
        shows_figures: whether more than a word may be told.
        now: the moment of the balance.
        slug: the App's, by which it is mentioned.
        slash_words: the words that are commands by themselves behind a slash.
        account_page: where everything else is told.
    """

    login: str
    balance: BalanceNow | None
    shows_figures: bool
    now: datetime
    slug: str
    slash_words: frozenset[str]
    account_page: str


def account_page(public_url: str) -> str:
    """Return the address at which a customer finds the account: the front page, which leads on."""
    return f"{public_url}/"


def answer(words: Sequence[Word], about: Surroundings) -> str:
    """Return the Markdown that answers these words, one section each."""
    sections = [_section(word, about, has_title=len(words) > 1) for word in words]
    return "\n\n".join([*sections, _footer(words, about)])


def tells_figures(words: Sequence[Word], about: Surroundings) -> bool:
    """Whether the answer to these words tells more than everybody may know."""
    return about.shows_figures and about.balance is not None and any(word is not Word.HELP for word in words)


def _section(word: Word, about: Surroundings, *, has_title: bool) -> str:
    text = "\n\n".join(_told(word, about))
    return f"#### {TITLES[word]}\n\n{text}" if has_title else text


def _told(word: Word, about: Surroundings) -> Iterator[str]:
    """What one word is answered, in paragraphs."""
    balance, name = about.balance, as_code(about.login)
    if word is Word.HELP:
        yield from _help(about)
    elif balance is None:
        yield (
            f"There is no account for {name} yet, so there are no credits either. "
            f"[More about it]({about.account_page})."
        )
    elif not about.shows_figures:
        yield _withheld(word, name, balance.level)
    elif word is Word.CREDITS:
        yield _credits(name, balance)
        yield from _paragraph(_set_against(balance))
        yield from _paragraph(_outlook(balance, about))
    else:
        yield _plan(name, balance)
        yield from _paragraph(_course(balance, about.now))


# Where all the world reads along ---------------------------------------------------------------------------------


def _withheld(word: Word, name: str, level: Level) -> str:
    if word is Word.PLAN:
        return "This repository is public, so the plan stays out of it."
    return f"{_in_a_word(name, level)} This repository is public, so figures stay out of it."


def _in_a_word(name: str, level: Level) -> str:
    match level:
        case Level.ENOUGH:
            return f"{name} has **enough** credits."
        case Level.LOW:
            return f"{name} is **low** on credits."
        case Level.USED_UP:
            return f"{name} has **used up** its credits."
        case _:
            assert_never(level)


# With figures ----------------------------------------------------------------------------------------------------


def _credits(name: str, balance: BalanceNow) -> str:
    """The balance, which is what was asked for."""
    count = f"**{_count(balance.available)}**" if balance.available else "**no credits**"
    return f"{name} has {count} left, on the plan {as_code(balance.plan)}."


def _set_against(balance: BalanceNow) -> Iterator[str]:
    """What can't be spent beside it, and why the next credits may be fewer than expected."""
    if balance.held:
        others = "Another " if balance.available else ""
        yield f"{others}{_count(balance.held)} {_is(balance.held)} held for work that is under way."
    if balance.debt:
        owed = f"{_count(balance.debt)} {_is(balance.debt)} owed"
        yield f"{owed}: the plan's next credits, or bought ones, go there first."


def _outlook(balance: BalanceNow, about: Surroundings) -> Iterator[str]:
    """What becomes of the balance, and what would help if it is little."""
    if balance.expiring is not None:
        yield _expiry(balance.expiring, balance.available)
    yield from _doubts(balance)
    if balance.level is not Level.ENOUGH:
        if balance.available:
            yield "That's running low."
        yield from _next_month(balance, about.now)
        yield f"[More about it]({about.account_page})"


def _expiry(expiring: Expiring, available: Credits) -> str:
    day = _day(expiring.at)
    if expiring.credits == available:
        return f"{'It expires' if available.count == 1 else 'They expire'} on {day}."
    one = expiring.credits.count == 1
    return f"Of these, {expiring.credits.count:,} {'expires' if one else 'expire'} on {day}."


def _plan(name: str, balance: BalanceNow) -> str:
    plan = as_code(balance.plan)
    if not balance.monthly:
        return f"{name} is on the plan **{plan}**, which has no monthly credits."
    return f"{name} is on the plan **{plan}**, which gives {_count(balance.monthly)} a month."


def _course(balance: BalanceNow, now: datetime) -> Iterator[str]:
    """Where the plan is going."""
    yield from _next_month(balance, now)
    if balance.change is not None:
        yield _change(balance.change)
    yield from _doubts(balance)


def _next_month(balance: BalanceNow, now: datetime) -> Iterator[str]:
    """When the plan's next credits come. If another plan is there by then, they are that one's to give."""
    change, renews_at = balance.change, balance.renews_at
    if renews_at is None or (change is not None and (change.at is None or change.at <= renews_at)):
        return
    if renews_at <= now:
        yield f"The next month began on {_day(renews_at)}: its credits come once GitHub shows that it was paid for."
    else:
        yield f"The next {_count(balance.monthly)} {_come(balance.monthly)} on {_day(renews_at)}."


def _change(change: PlanChange) -> str:
    when = "" if change.at is None else f" on {_day(change.at)}"
    if not change.plan:
        return f"The plan ends{when or ' soon'}."
    return f"The plan changes to {as_code(change.plan)}{when or ' soon'}."


def _doubts(balance: BalanceNow) -> Iterator[str]:
    """What holds new credits up."""
    if balance.is_on_free_trial:
        yield "The plan is on its free trial; its monthly credits come with the first paid month."
    if balance.is_unconfirmed:
        yield (
            "GitHub doesn't show the plan at the moment, as after a payment that failed, "
            "so no new credits come until it does."
        )
    if balance.has_unknown_plan:
        yield "GitHub shows a plan that isn't set up here yet; its credits come as soon as it is."


# Help and footer -------------------------------------------------------------------------------------------------


def _help(about: Surroundings) -> Iterator[str]:
    yield "Write one of these on a line of its own, in a comment:"
    yield "\n".join(f"- {' or '.join(_ways(word, about))}: {TELLS[word]}" for word in Word)
    yield "Whoever has write access to the repository gets an answer."


def _footer(words: Sequence[Word], about: Surroundings) -> str:
    # The help has just listed them.
    others = [] if Word.HELP in words else [_ways(word, about)[0] for word in Word if word not in words]
    asked = f"You can also ask {' or '.join(others)} · " if others else ""
    return f"<sub>{asked}[About this bot]({about.account_page})</sub>"


def _ways(word: Word, about: Surroundings) -> list[str]:
    """How a word is asked for, the shortest way first."""
    ways = []
    if word in about.slash_words:
        ways.append(f"/{word}")
    elif Word.CREDITS in about.slash_words:
        ways.append(f"/{Word.CREDITS} {word}")
    # As code, a mention reaches nobody.
    return [as_code(way) for way in [*ways, f"@{about.slug} {word}"]]


# Small parts -----------------------------------------------------------------------------------------------------


def _paragraph(sentences: Iterator[str]) -> Iterator[str]:
    """The sentences as one paragraph, if there are any."""
    text = " ".join(sentences)
    if text:
        yield text


def _count(amount: Credits) -> str:
    return f"{amount.count:,} {'credit' if amount.count == 1 else 'credits'}"


def _is(amount: Credits) -> str:
    return "is" if amount.count == 1 else "are"


def _come(amount: Credits) -> str:
    return "comes" if amount.count == 1 else "come"


def _day(moment: datetime) -> str:
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"
