"""Why there aren't more credits, in words."""

import re
from typing import assert_never

from billing.explain import (
    PeriodAwaited,
    PeriodProrated,
    PlanEnded,
    PlanOnTrial,
    PlanUnconfirmed,
    PlanUnknown,
    Reason,
    SignupAwaited,
    SignupWithheld,
)
from bot.cli.output import credits_in_words, readable_day, readable_time


def reason_in_words(reason: Reason) -> str:
    """Tell why there aren't more credits."""
    match reason:
        case SignupAwaited():
            return "The App was never installed on the account; sign-up credits come with the first installation."
        case SignupWithheld():
            return (
                "Sign-up credits are withheld: whoever installed the App had them for three organizations within"
                " thirty days. They come with a payment method."
            )
        case PlanUnknown(marketplace_plan_id=number):
            return (
                f"GitHub shows plan {number}, which isn't in the catalogue: nothing is granted for it until"
                " marketplace_plan_ids names it; then it is caught up by itself."
            )
        case PlanOnTrial(plan=plan):
            return f"The plan {plan} is on its free trial; its monthly credits come with the first paid period."
        case PlanUnconfirmed(plan=plan, missing_since=since, ends_at=ends_at):
            return (
                f"GitHub hasn't shown the plan {plan} since {readable_time(since)}: no new credits meanwhile, and it"
                f" ends if that lasts until {readable_time(ends_at)}."
            )
        case PlanEnded(plan=plan, ended_at=ended_at):
            return f"The plan {plan} ended at {readable_time(ended_at)}; its credits live until they expire."
        case PeriodProrated():
            return (
                f"The period from {readable_day(reason.starts_at)} to {readable_day(reason.ends_at)} isn't a full"
                f" one: {reason.target} of {credits_in_words(reason.allowance)}, as GitHub charged in proportion."
            )
        case PeriodAwaited(ended_at=ended_at, next_billing_date=date):
            shown = f"GitHub shows {readable_day(date)} as the next billing date" if date else "GitHub shows no date"
            return f"The period ended on {readable_day(ended_at)}, and the next one isn't confirmed: {shown}."
        case _:
            assert_never(reason)


def reason_kind(reason: Reason) -> str:
    """Return a reason's name for programs, such as `plan_unknown`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(reason).__name__).lower()
