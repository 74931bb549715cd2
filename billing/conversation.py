"""What an answer in a comment may tell and where it goes. Data and decisions; others word it and send it.

In a public repository figures are shown to everybody in the world, so they are kept back unless the account has chosen
otherwise (docs/decisions/0021-figures-stay-private.md). A thread holds one answer of ours at most: it is edited while
people can still see it, and moved to the thread's end once they can't (docs/decisions/0022-one-answer-a-thread.md).
"""

import enum
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from billing.commands import Question
from billing.plans import Plan, PlanCatalog
from billing.settled import settled
from billing.standing import effective_plan, is_living
from billing.state import CustomerState, Subscription
from billing.values import NEVER, NO_CREDITS, CommentId, Credits, SubscriptionState, Word, value

EDITED_WITHIN: Final = timedelta(minutes=1)
"""A command written within this time of our last answer is answered by editing that one, wherever it stands."""


class Level(enum.StrEnum):
    """How the credits stand, in a word that tells no figures."""

    ENOUGH = "enough"
    LOW = "low"
    USED_UP = "used up"


@value
class Expiring:
    """Credits that go away at `at` if they aren't used before."""

    credits: Credits
    at: datetime


@value
class PlanChange:
    """A change that GitHub has scheduled: to the plan with this name, or the plan's end if there is none ("").

    `at` is None where GitHub names no day.
    """

    plan: str
    at: datetime | None


@value
class BalanceNow:
    """What can be told of a customer's plan and credits at this moment.

    Attributes:
        plan: the effective plan's name.
        available: what can be spent.
        level: the same without figures.
        expiring: what expires next; None if nothing ever does.
        monthly: what the plan gives a month, of all units together; none on a plan that gives nothing a month.
        renews_at: when the next month's credits are due; None if none will come. A moment that has passed means that
            GitHub doesn't show yet that the month was paid for.
        change: what GitHub has scheduled.
        is_on_free_trial: the plan is on GitHub's free trial; its monthly credits come with the first paid month.
        is_unconfirmed: GitHub doesn't show the plan at the moment, so that no new credits come.
        has_unknown_plan: GitHub shows a plan that the catalogue doesn't know: what is told here is without it.
        held: what is set aside beside that, for work under way.
        debt: what is owed.
    """

    plan: str
    available: Credits
    level: Level
    expiring: Expiring | None
    monthly: Credits
    renews_at: datetime | None
    change: PlanChange | None
    is_on_free_trial: bool
    is_unconfirmed: bool
    has_unknown_plan: bool
    held: Credits = NO_CREDITS
    debt: Credits = NO_CREDITS


def balance_now(state: CustomerState, plans: PlanCatalog, now: datetime) -> BalanceNow:
    """Look at what the customer has, without booking anything."""
    state = settled(state, now)
    plan, account = effective_plan(state, plans), state.account
    left = Credits(account.posted - account.held)
    subscription = next((each for each in state.subscriptions if is_living(each) and each.plan == plan.id), None)
    monthly = Credits(0 if subscription is None else plan.included_credits * subscription.unit_count)
    return BalanceNow(
        plan=plan.name,
        available=left,
        level=_level(left, plan),
        expiring=_expiring(state),
        monthly=monthly,
        renews_at=None if subscription is None or not monthly else _renewal(subscription),
        change=None if subscription is None else _scheduled(subscription, plans),
        is_on_free_trial=subscription is not None and subscription.state is SubscriptionState.TRIALING,
        is_unconfirmed=subscription is not None and subscription.state is SubscriptionState.UNCONFIRMED,
        has_unknown_plan=any(each.unmapped_plan_id for each in state.subscriptions),
        held=Credits(account.held),
        debt=Credits(account.debt),
    )


def may_show_figures(state: CustomerState | None, *, is_private: bool) -> bool:
    """Whether an answer in the repository may tell figures: a private one's readers may, all the world must be let."""
    return is_private or (state is not None and state.customer.shows_figures)


def _level(left: Credits, plan: Plan) -> Level:
    """Low is what the plan's catalogue tells customers of: the highest of its `low_balance`, and below."""
    if not left:
        return Level.USED_UP
    return Level.LOW if left.count <= max(plan.low_balance, default=0) else Level.ENOUGH


def _expiring(state: CustomerState) -> Expiring | None:
    """All that expires at the next moment at which anything does."""
    mortal = [each for each in state.grants if each.remaining and each.expires_at != NEVER]
    at = min((each.expires_at for each in mortal), default=None)
    if at is None:
        return None
    return Expiring(credits=Credits(sum(each.remaining for each in mortal if each.expires_at == at)), at=at)


def _renewal(subscription: Subscription) -> datetime | None:
    """When the running period ends, if another one follows by what is known today."""
    period, ends_at = subscription.period, subscription.pending_effective_at
    if period is None or subscription.state is not SubscriptionState.ACTIVE:
        return None
    is_last = subscription.cancel_at_period_end and (ends_at is None or ends_at <= period.ends_at)
    return None if is_last else period.ends_at


def _scheduled(subscription: Subscription, plans: PlanCatalog) -> PlanChange | None:
    """The scheduled change, with the catalogue's name for the plan where it has one."""
    if subscription.cancel_at_period_end:
        return PlanChange(plan="", at=subscription.pending_effective_at)
    if not subscription.pending_plan:
        return None
    plan = plans.find(subscription.pending_plan)
    name = subscription.pending_plan if plan is None else plan.name
    return PlanChange(plan=name, at=subscription.pending_effective_at)


@value
class OwnAnswer:
    """One of our answers as it stands in a thread.

    Attributes:
        answers_to: the comment that it answered last, by its hidden marker.
        words: what it answers, in the order in which that stands there.
        has_figures: whether figures stand in it, or stood there before an edit: GitHub shows its readers both.
        changed_at: when it was posted or last edited, by GitHub's clock.
        is_among_last_ten: of the thread's comments.
    """

    comment_id: CommentId
    answers_to: CommentId
    words: tuple[Word, ...]
    has_figures: bool
    changed_at: datetime
    is_among_last_ten: bool


@value
class NothingToSay:
    """The comment, or a later one, has its answer already. `outdated` are older answers of ours, to be deleted."""

    outdated: tuple[CommentId, ...] = ()


@value
class Edit:
    """The answer goes into this comment of ours.

    Attributes:
        keeping: words that were answered there just before and stay answered, rendered anew; none that is asked now.
        had_figures: whether figures stand or stood in it, so that the edited answer counts as having them for good.
        outdated: our other answers, to be deleted.
    """

    comment_id: CommentId
    keeping: tuple[Word, ...] = ()
    had_figures: bool = False
    outdated: tuple[CommentId, ...] = ()


@value
class PostAnew:
    """The answer becomes a new comment.

    Attributes:
        keeping: words that were answered just before, in an answer that has to go, and stay answered in the new one.
        outdated: our answers before it, to be deleted once it stands.
    """

    keeping: tuple[Word, ...] = ()
    outdated: tuple[CommentId, ...] = ()


Placement = NothingToSay | Edit | PostAnew
"""Where the answer to a comment goes."""


def place(own: Sequence[OwnAnswer], question: Question, *, shows_figures: bool) -> Placement:
    """Say where the answer goes, by what stands in the thread; asking again after it was given changes nothing.

    GitHub's comment ids ascend. An answer shows the balance of its moment, so that the answer to a later comment is the
    newer one and needs no older text over it. The minute of rule 35 lies between two moments of GitHub's, so that it
    doesn't matter how long the question was on its way.

    Args:
        own: our answers as they stand in the thread.
        question: what is to be answered.
        shows_figures: whether the answer may tell figures now. If not, one that has them isn't edited but goes: GitHub
            shows what was edited away to everybody who can read the comment.
    """
    last = max(own, key=lambda each: (each.answers_to, each.comment_id), default=None)
    if last is None:
        return PostAnew()
    others = tuple(sorted(each.comment_id for each in own if each.comment_id != last.comment_id))
    if last.answers_to >= question.comment_id:
        return NothingToSay(outdated=others)
    is_recent = question.asked_at - last.changed_at <= EDITED_WITHIN
    # Whoever asked something else just before has had no time to read the answer to that.
    keeping = tuple(word for word in last.words if word not in question.words) if is_recent else ()
    must_go = last.has_figures and not shows_figures
    if must_go or not (is_recent or last.is_among_last_ten):
        return PostAnew(keeping=keeping, outdated=tuple(sorted((*others, last.comment_id))))
    return Edit(comment_id=last.comment_id, keeping=keeping, had_figures=last.has_figures, outdated=others)
