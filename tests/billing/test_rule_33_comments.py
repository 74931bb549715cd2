"""Rule 33: who may write is answered; anyone else gets a face in a private repository and nothing in a public one."""

import pytest

from billing.commands import Answered, Ignored
from billing.decide import Facts, decide
from billing.decide.comments import NOT_ANSWERED
from billing.records import Reply
from billing.values import Permission, Reaction
from tests.billing.builders import PLANS, asked, day


@pytest.mark.parametrize("is_private", [True, False])
@pytest.mark.parametrize("permission", [Permission.WRITE, Permission.ADMIN])
def test_rule_33_write_permission_or_more_is_answered(permission: Permission, *, is_private: bool) -> None:
    command = asked(permission, is_private=is_private)
    decision = decide(None, command, day(1, 1), PLANS, Facts())
    assert decision.outcome == Answered()
    assert decision.replies == (Reply(question=command.question, reaction=Reaction.EYES),)


@pytest.mark.parametrize("permission", [Permission.NONE, Permission.READ])
def test_rule_33_anyone_else_gets_a_confused_face_in_a_private_repository(permission: Permission) -> None:
    command = asked(permission, is_private=True)
    decision = decide(None, command, day(1, 1), PLANS, Facts())
    assert decision.outcome == Answered()
    assert decision.replies == (Reply(question=command.question, reaction=Reaction.CONFUSED),)


@pytest.mark.parametrize("permission", [Permission.NONE, Permission.READ])
def test_rule_33_anyone_else_gets_nothing_in_a_public_repository(permission: Permission) -> None:
    decision = decide(None, asked(permission, is_private=False), day(1, 1), PLANS, Facts())
    assert decision.outcome == Ignored(reason=NOT_ANSWERED)
    assert decision.replies == ()


def test_rule_33_an_answer_touches_no_customer() -> None:
    decision = decide(None, asked(), day(1, 1), PLANS, Facts())
    assert decision.state is None
    assert not decision.entries
