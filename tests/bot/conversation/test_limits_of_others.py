"""A limit that one account's comments meet is theirs alone: nobody else waits, and who waits has attempted nothing."""

from datetime import timedelta

from sandbox.clock import VirtualClock
from tests.bot.conversation.talking import Talk
from tests.factories import PRO

LIMIT_SECONDS = 60


async def test_a_purchase_of_another_account_is_applied_at_once_while_comments_are_limited(
    talk: Talk, clock: VirtualClock
) -> None:
    buyer = talk.github.add_organization("buyer-org", billing_day=3)
    talk.github.faults.limit(403, retry_after_seconds=LIMIT_SECONDS, times=None, path="/repos/octo-org/*")
    threads = [talk.thread(f"Issue {number}") for number in range(20)]
    for thread in threads:
        talk.ask(thread)
    await talk.settle()
    started = clock.now()
    talk.github.buy(buyer, PRO)
    await talk.settle()
    customer = await talk.at.customer(buyer)
    assert customer is not None
    assert clock.now() == started
    # Each that waits is due when the limit ends, and not a moment later.
    waiting = [row for row in await talk.at.deliveries() if row.event == "issue_comment"]
    assert {row.state.value for row in waiting} == {"received"}
    late = [row for row in waiting if row.run_at == started + timedelta(seconds=LIMIT_SECONDS)]
    assert all(row.attempts == 0 for row in late)
    assert {row.attempts for row in waiting if row not in late} <= {1}
    talk.github.faults.clear()
    await talk.finish()
    assert [len(talk.answers(thread)) for thread in threads] == [1] * 20
    assert {row.attempts for row in await talk.replies()} == {1}


async def test_who_comes_while_their_installation_is_limited_asks_nothing(talk: Talk) -> None:
    first, second = talk.thread("First"), talk.thread("Second")
    talk.github.faults.limit(403, retry_after_seconds=LIMIT_SECONDS, method="POST", path="/repos/*/reactions")
    talk.ask(first)
    await talk.settle()
    # Whether its author may ask was known before: what waits is the reply.
    [met] = await talk.replies()
    assert met.attempts == 1
    before = len(talk.at.contract.exchanges)
    talk.ask(second)
    await talk.settle()
    assert len(talk.at.contract.exchanges) == before
    await talk.finish()
    assert [len(talk.answers(thread)) for thread in (first, second)] == [1, 1]
    assert await talk.ends() == [("done", "")] * 2
