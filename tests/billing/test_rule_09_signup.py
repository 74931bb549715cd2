"""Rules 9 and 19: sign-up credits come with the first installation, once for ever, and can't be farmed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.commands import Applied, GitHubAccount, Ignored, Postponed, RenameAccount
from billing.plans import parse_plans
from billing.records import SignupSlot
from billing.values import NEVER, CustomerId, GitHubAccountId, HoldState, InstallationId, InstallationState
from tests.billing.builders import ACCOUNT, CATALOG, CUSTOMER_ID, PRO, History, cause, day, truth
from tests.billing.looks import figures, hold_of
from tests.billing.requests import hold

PERSON = GitHubAccount(id=GitHubAccountId(1), login="ada", type="User")
INSTALLER = GitHubAccountId(77)


def slot(number: int, *, days_ago: float, now: History) -> SignupSlot:
    """A place that the installer took some days ago."""
    taken_at = now.now - timedelta(days=days_ago)
    return SignupSlot(installer_id=INSTALLER, slot=number, customer_id=CustomerId(90 + number), taken_at=taken_at)


def test_rule_09_the_first_installation_brings_the_default_plans_credits() -> None:
    history = History(account=PERSON)
    decision = history.install()
    assert decision.outcome == Applied(customer_id=CUSTOMER_ID, entries=(1,))
    signup = history.all_grants[1]
    assert (signup.origin, signup.category, signup.amount, signup.expires_at) == ("signup", "promotional", 5, NEVER)
    assert history.journal[0].key == "signup"
    assert history.journal[0].reference.startswith("plan:trial installation:1 terms:")
    customer = history.customer.customer
    assert (customer.github_login, customer.github_type, customer.source) == ("ada", "User", "github_installation")
    assert (customer.signup_at, customer.created_at, customer.signup_withheld) == (history.now, history.now, False)


def test_rule_09_no_second_grant_for_reinstalling_buying_cancelling_or_renaming() -> None:
    history = History()
    history.install(1)
    history.install(1, is_there=False)
    history.install(2)
    history.follow(truth(PRO), effective_at=history.now)
    history.follow(None, "cancelled", hinted=PRO)
    history.follow(truth(PRO), effective_at=history.now)
    history.do(RenameAccount(account=replace(ACCOUNT, login="renamed"), cause=cause()))
    history.install(3)
    assert [entry.key for entry in history.journal].count("signup") == 1
    assert sum(each.origin == "signup" for each in history.all_grants.values()) == 1


def test_rule_19_a_purchase_alone_brings_no_signup_credits() -> None:
    history = History()
    history.follow(truth(PRO), effective_at=history.now)
    assert [each.origin for each in history.all_grants.values()] == ["plan"]
    assert history.customer.customer.source == "github_marketplace"
    assert history.customer.customer.signup_at is None


def test_rule_19_purchase_and_installation_come_in_any_order() -> None:
    bought_first, installed_first = History(), History()
    bought_first.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(12, 1))
    bought_first.install()
    installed_first.install()
    installed_first.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(12, 1))
    assert bought_first.available == installed_first.available
    assert {(each.origin, each.amount) for each in bought_first.all_grants.values()} == {
        (each.origin, each.amount) for each in installed_first.all_grants.values()
    }


def test_rule_19_uninstalling_touches_neither_plan_nor_ledger() -> None:
    history = History()
    history.install()
    history.follow(truth(PRO), effective_at=history.now)
    before = history.customer
    history.install(is_there=False)
    after = history.customer
    assert (after.subscriptions, after.account, after.grants) == (before.subscriptions, before.account, before.grants)
    assert after.installations[0].state is InstallationState.DELETED


def test_rule_19_any_installation_event_proves_an_installation() -> None:
    history = History()
    history.install(is_there=False, installer=None)
    assert history.available == 5
    installation = history.customer.installations[0]
    assert (installation.state, installation.repository_selection) == (InstallationState.DELETED, "")


def test_rule_09_deleted_is_final() -> None:
    history = History()
    history.install()
    history.install(is_there=False)
    deleted = history.customer.installations[0]
    assert (deleted.state, deleted.repository_selection) == (InstallationState.DELETED, "selected")
    history.install()
    assert history.customer.installations[0].state is InstallationState.DELETED


def test_rule_19_suspended_and_back() -> None:
    history = History()
    history.install()
    created_at = history.now
    history.wait(days=1)
    history.install(suspended=True)
    assert history.customer.installations[0].state is InstallationState.SUSPENDED
    history.install(suspended=False)
    installation = history.customer.installation(InstallationId(1))
    assert installation is not None
    assert (installation.state, installation.created_at) == (InstallationState.ACTIVE, created_at)
    assert history.customer.installation(InstallationId(2)) is None


def test_rule_10_an_older_answer_about_an_installation_is_asked_anew() -> None:
    history = History()
    history.install(observation=8)
    decision = history.install(suspended=True, observation=7)
    assert isinstance(decision.outcome, Postponed)
    assert decision.outcome.until == history.now
    assert decision.state is None
    assert history.customer.installations[0].state is InstallationState.ACTIVE
    assert isinstance(history.install(suspended=True, observation=8).outcome, Applied)


def test_the_login_is_githubs_answer_and_what_an_old_delivery_told_only_fills_gaps() -> None:
    history = History()
    history.install(account=replace(ACCOUNT, login="", type=""))
    assert (history.customer.customer.github_login, history.customer.customer.github_type) == ("", "")
    history.install(account=replace(ACCOUNT, login="told"))
    assert (history.customer.customer.github_login, history.customer.customer.github_type) == ("told", "Organization")
    history.install(account=replace(ACCOUNT, login="told"), shown=replace(ACCOUNT, login="asked"))
    assert history.customer.customer.github_login == "asked"
    history.install(account=replace(ACCOUNT, login="told"))
    assert history.customer.customer.github_login == "asked"
    history.install(account=replace(ACCOUNT, login="", type=""))
    assert (history.customer.customer.github_login, history.customer.customer.github_type) == ("asked", "Organization")


def test_a_rename_is_noted_and_an_unknown_account_ignored() -> None:
    history = History()
    renamed = RenameAccount(account=replace(ACCOUNT, login="new-name"), cause=cause())
    assert isinstance(history.do(renamed).outcome, Ignored)
    assert history.state is None
    history.install()
    assert history.do(renamed).outcome == Applied(customer_id=CUSTOMER_ID, entries=())
    assert history.customer.customer.github_login == "new-name"


@pytest.mark.parametrize(("taken", "expected"), [((), 1), ((1,), 2), ((1, 2), 3), ((2, 3), 1)])
def test_rule_09_an_organization_takes_the_lowest_free_place_of_its_installer(
    taken: tuple[int, ...], expected: int
) -> None:
    history = History()
    decision = history.install(slots=tuple(slot(number, days_ago=1, now=history) for number in taken))
    assert decision.signup_slots == (
        SignupSlot(installer_id=INSTALLER, slot=expected, customer_id=CUSTOMER_ID, taken_at=history.now),
    )
    assert history.available == 5


def test_rule_09_the_fourth_organization_within_thirty_days_gets_none() -> None:
    history = History()
    taken = tuple(slot(number, days_ago=29.9, now=history) for number in (1, 2, 3))
    decision = history.install(slots=taken)
    assert decision.outcome == Applied(customer_id=CUSTOMER_ID, entries=())
    assert decision.signup_slots == ()
    assert history.customer.customer.signup_withheld
    assert history.customer.customer.signup_at is None
    # Nor does it by another event, or by another installer: its way to them is a payment method.
    history.install(installer=None)
    history.install(2, installer=78)
    assert history.available == 0


def test_rule_09_a_place_is_free_again_after_thirty_days() -> None:
    history = History()
    taken = (slot(1, days_ago=1, now=history), slot(2, days_ago=30, now=history), slot(3, days_ago=31, now=history))
    assert [place.slot for place in history.install(slots=taken).signup_slots] == [2]
    assert history.available == 5


@pytest.mark.parametrize(("account", "installer"), [(PERSON, 77), (ACCOUNT, None)])
def test_rule_09_persons_and_unknown_installers_need_no_place(account: GitHubAccount, installer: int | None) -> None:
    history = History(account=account)
    taken = tuple(slot(number, days_ago=1, now=history) for number in (1, 2, 3))
    assert history.install(installer=installer, slots=taken).signup_slots == ()
    assert history.available == 5


def test_rule_09_a_default_plan_without_signup_credits_signs_up_all_the_same() -> None:
    history = History(plans=parse_plans(CATALOG.replace("signup_credits = 5", "signup_credits = 0")))
    decision = history.install()
    assert decision.outcome == Applied(customer_id=CUSTOMER_ID, entries=())
    assert (history.customer.customer.signup_at, decision.signup_slots) == (history.now, ())
    assert history.journal == []


def test_rule_19_a_later_installation_tells_that_those_before_are_gone() -> None:
    """An account has the App once at most; that the first one went may never be told."""
    history = History()
    history.install(1)
    history.install(2, suspended=True)
    assert installation_states(history) == {1: InstallationState.DELETED, 2: InstallationState.SUSPENDED}
    history.install(1, observation=history.observations + 1)
    assert installation_states(history) == {1: InstallationState.DELETED, 2: InstallationState.SUSPENDED}


def test_rule_19_an_older_answer_about_an_earlier_installation_revives_nothing() -> None:
    history = History()
    history.install(2, observation=5)
    history.install(1, observation=4)
    assert installation_states(history) == {1: InstallationState.DELETED, 2: InstallationState.ACTIVE}


def installation_states(history: History) -> dict[int, InstallationState]:
    """Every installation's state by its id."""
    return {each.id: each.state for each in history.customer.installations}


def test_rule_09_a_hold_that_timed_out_before_ends_with_the_signup() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20)), "changed")
    history.do(hold(2, key="work", lasts=timedelta(hours=1)))
    history.wait(hours=2)
    history.install()
    assert hold_of(history).state is HoldState.TIMED_OUT
    assert history.lines()[-2:] == [("release", 0), ("grant", 5)]
    assert figures(history) == (65, 0, 0)
