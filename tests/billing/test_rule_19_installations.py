"""Rule 19: an installation is what GitHub says; an answer that lags behind its delivery is asked for again."""

from datetime import timedelta

import pytest

from billing.commands import Applied, Postponed
from billing.values import InstallationState
from tests.billing.builders import History

DELAYS = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))

CONTRADICTIONS = [
    ("created", False, False, InstallationState.DELETED),
    ("added", False, False, InstallationState.DELETED),
    ("deleted", True, False, InstallationState.ACTIVE),
    ("suspend", False, False, InstallationState.DELETED),
    ("suspend", True, False, InstallationState.ACTIVE),
    ("unsuspend", False, False, InstallationState.DELETED),
    ("unsuspend", True, True, InstallationState.SUSPENDED),
]


@pytest.mark.parametrize(("action", "is_there", "suspended", "end"), CONTRADICTIONS)
def test_rule_19_a_contradiction_is_asked_again_four_times_then_stands(
    *, action: str, is_there: bool, suspended: bool, end: InstallationState
) -> None:
    history = History()
    for repeats, delay in enumerate(DELAYS):
        decision = history.install(action=action, is_there=is_there, suspended=suspended, repeats=repeats)
        assert isinstance(decision.outcome, Postponed)
        assert decision.outcome.until == history.now + delay
        assert decision.state is None
    decision = history.install(action=action, is_there=is_there, suspended=suspended, repeats=4)
    assert isinstance(decision.outcome, Applied)
    assert [each.state for each in history.customer.installations] == [end]


@pytest.mark.parametrize(
    ("action", "is_there", "suspended"),
    [("created", True, False), ("deleted", False, False), ("suspend", True, True), ("unsuspend", True, False)],
)
def test_rule_19_an_answer_that_fits_its_delivery_is_applied_at_once(
    *, action: str, is_there: bool, suspended: bool
) -> None:
    history = History()
    decision = history.install(action=action, is_there=is_there, suspended=suspended)
    assert isinstance(decision.outcome, Applied)


def test_rule_19_a_late_delivery_about_a_deleted_installation_ends_at_once() -> None:
    history = History()
    history.install(action="deleted", is_there=False)
    decision = history.install(action="created", is_there=False)
    assert isinstance(decision.outcome, Applied)
    assert [each.state for each in history.customer.installations] == [InstallationState.DELETED]
