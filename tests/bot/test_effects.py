"""The outbox's sender on both engines: at once, in order, at least once, bounded, and never in a loop."""

import asyncio
import functools
import json
import random
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
import pytest

from billing.errors import TemporaryFailureError
from billing.ports import Alarm
from bot.alerting import NOBODY, AlertSender
from bot.effects import EffectSender, Send, send_nothing
from bot.forwarding import FORWARD_TOPIC, ForwardedDelivery, Forwarder
from bot.mail import Mailer, MailServer
from bot.posting import Poster
from sandbox.clock import VirtualClock
from storage.alarms import ALERT_TOPIC
from storage.database import Database
from storage.effects import ClaimedEffect, EffectRow, NewEffect
from tests.bot.receiver import HttpReceiver, MailReceiver
from tests.bot.receiving import http_receiver, mail_receiver
from tests.bot.working import FEW, running, until, until_true

WAITS = (10, 20, 25)
"""How long the tests' policy waits between its four attempts, in seconds."""

ALARM = Alarm(kind="unknown_plan", subject="plan:99", detail="map it in plans.toml and restart")


@pytest.fixture
async def http() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as started:
        yield started


@pytest.fixture
async def mail() -> AsyncIterator[MailReceiver]:
    async with mail_receiver() as started:
        yield started


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@dataclass
class Post:
    """A database, and senders on it."""

    database: Database
    clock: VirtualClock
    session: aiohttp.ClientSession
    numbers: list[int]

    def sender(self, topic: str, send: Send, *, at_once: int = 16) -> EffectSender:
        """A sender that isn't running yet."""
        return EffectSender(
            outbox=self.database.outbox,
            topic=topic,
            send=send,
            clock=self.clock,
            chance=random.Random(0),
            policy=FEW,
            at_once=at_once,
        )

    def alerts(self, *, mail: MailReceiver | None = None, http: HttpReceiver | None = None) -> EffectSender:
        """A sender that tells of alarms by these ways."""
        alerts = AlertSender(
            outbox=self.database.outbox,
            clock=self.clock,
            mailer=None if mail is None else Mailer(MailServer.from_url(mail.url()), sender="bot@tally.example"),
            recipient="ops@vendor.example",
            poster=None if http is None else Poster(self.session, url=http.url, setting="ALERT_WEBHOOK_URL"),
        )
        return self.sender(ALERT_TOPIC, alerts.send)

    def forwards(self, http: HttpReceiver) -> EffectSender:
        """A sender that passes deliveries on."""
        poster = Poster(self.session, url=http.url, setting="GITHUB_FORWARD_URL")
        return self.sender(FORWARD_TOPIC, Forwarder(poster).send)

    async def enqueue(self, body: bytes = b"{}", *, topic: str = FORWARD_TOPIC, key: str = "forward:1") -> int:
        """Have a delivery passed on; the effect's id."""
        self.numbers.append(len(self.numbers))
        effect = NewEffect(
            topic=topic,
            key=key,
            dedupe_key=f"{topic}:{len(self.numbers)}",
            payload=ForwardedDelivery.of([(b"X-GitHub-Event", b"push")], zlib.compress(body)).packed(),
            run_at=self.clock.now(),
        )
        assert await self.database.outbox.enqueue(effect)
        return (await self.database.outbox.list(limit=1))[0].id

    async def row(self, effect_id: int) -> EffectRow:
        """An effect as it stands."""
        row = await self.database.outbox.show(effect_id)
        assert row is not None
        return row

    async def ended(self, *effect_ids: int) -> list[str]:
        """Wait until all these have ended; how."""

        async def have_ended() -> bool:
            return all([(await self.row(each)).state != "pending" for each in effect_ids])

        await until(have_ended)
        return [(await self.row(each)).state.value for each in effect_ids]

    async def all_ended(self) -> list[str]:
        """Wait until nothing is pending; how all there is ended, oldest first."""

        async def is_empty() -> bool:
            return not await self.database.outbox.list(state="pending")

        await until(is_empty)
        return [row.state.value for row in reversed(await self.database.outbox.list())]

    async def pass_over(self, effect_id: int, *waits_seconds: float) -> None:
        """Wait until the effect was put off for so long, let the time pass, and so on."""
        for attempts, wait_seconds in enumerate(waits_seconds, start=1):
            run_at = self.clock.now() + timedelta(seconds=wait_seconds)
            await until(functools.partial(self._is_put_off, effect_id, attempts, run_at))
            self.clock.advance(seconds=wait_seconds)

    async def _is_put_off(self, effect_id: int, attempts: int, run_at: datetime) -> bool:
        row = await self.row(effect_id)
        return (row.attempts, row.run_at) == (attempts, run_at)

    async def open_alarms(self) -> list[tuple[str, str, int]]:
        """Kind, subject and count of the alarms that aren't over."""
        return [(alarm.kind, alarm.subject, alarm.count) for alarm in await self.database.alarms.list()]


@pytest.fixture
def post(database: Database, clock: VirtualClock, session: aiohttp.ClientSession) -> Post:
    return Post(database=database, clock=clock, session=session, numbers=[])


# Forwarding ------------------------------------------------------------------------------------------------------


async def test_an_effect_is_sent_as_soon_as_it_is_told_of(post: Post, http: HttpReceiver, clock: VirtualClock) -> None:
    sender, started = post.forwards(http), clock.now()
    async with running(sender):
        await until_true(lambda: clock.sleeping == 1)
        effect = await post.enqueue(b'{"zen": 1}')
        sender.wake()
        assert await post.ended(effect) == ["done"]
    assert [body for _, body in http.requests] == [b'{"zen": 1}']
    assert clock.now() == started


async def test_what_fails_is_sent_again_further_and_further_apart(post: Post, http: HttpReceiver) -> None:
    http.fail(500)
    http.break_off()
    http.fail(503, headers={"Retry-After": "90"})
    effect = await post.enqueue()
    async with running(post.forwards(http)):
        await post.pass_over(effect, 10, 20, 90)
        assert await post.ended(effect) == ["done"]
    assert len(http.requests) == 4
    assert await post.open_alarms() == []


async def test_the_last_attempt_ends_dead_with_an_alarm_and_a_retry_ends_both(post: Post, http: HttpReceiver) -> None:
    http.fail(500, times=4)
    effect = await post.enqueue()
    sender = post.forwards(http)
    async with running(sender):
        await post.pass_over(effect, *WAITS)
        assert await post.ended(effect) == ["dead"]
        assert (await post.row(effect)).error == "GITHUB_FORWARD_URL answered 500"
        assert await post.open_alarms() == [("effect_dead", "forward", 1)]
        assert await post.database.outbox.retry_dead([effect]) == [effect]
        sender.wake()
        assert await post.ended(effect) == ["done"]
    assert await post.open_alarms() == []


async def test_effects_of_one_key_go_out_in_their_order(post: Post, http: HttpReceiver) -> None:
    effects = [await post.enqueue(str(number).encode()) for number in range(6)]
    http.fail(500)
    async with running(post.forwards(http)):
        await post.pass_over(effects[0], 10)
        assert set(await post.ended(*effects)) == {"done"}
    assert [body for _, body in http.requests] == [b"0", b"0", b"1", b"2", b"3", b"4", b"5"]


async def test_a_dead_effect_lets_the_next_of_its_key_go(post: Post, http: HttpReceiver) -> None:
    http.fail(500, times=4)
    first, second = await post.enqueue(b"1"), await post.enqueue(b"2")
    async with running(post.forwards(http)):
        await post.pass_over(first, *WAITS)
        assert await post.ended(first, second) == ["dead", "done"]


async def test_keys_keep_each_other_not_waiting_and_no_more_go_at_once_than_allowed(post: Post) -> None:
    present, most = 0, 0

    async def count(_effect: ClaimedEffect) -> str:
        nonlocal present, most
        present += 1
        most = max(most, present)
        for _ in range(20):
            await asyncio.sleep(0)
        present -= 1
        return ""

    effects = [await post.enqueue(key=f"key:{number}") for number in range(12)]
    async with running(post.sender(FORWARD_TOPIC, count, at_once=3)):
        assert set(await post.ended(*effects)) == {"done"}
    assert most == 3


async def test_a_bug_parks_its_effect_alone(post: Post) -> None:
    broken, good = await post.enqueue(key="broken"), await post.enqueue(key="good")

    async def fail(effect: ClaimedEffect) -> str:
        if effect.key == "broken":
            raise ZeroDivisionError("by nothing")
        return ""

    async with running(post.sender(FORWARD_TOPIC, fail)):
        assert await post.ended(broken, good) == ["dead", "done"]
    assert (await post.row(broken)).error == "ZeroDivisionError: by nothing"
    assert (await post.row(broken)).attempts == 1


async def test_what_nobody_sends_any_more_is_ignored(post: Post) -> None:
    effect = await post.enqueue()
    async with running(post.sender(FORWARD_TOPIC, send_nothing)):
        assert await post.ended(effect) == ["ignored"]
    assert "nothing sends forward" in (await post.row(effect)).error


async def test_what_a_killed_sender_left_is_sent_again(post: Post, http: HttpReceiver, clock: VirtualClock) -> None:
    http.hold_back()
    effect = await post.enqueue()
    async with asyncio.TaskGroup() as group:
        killed = group.create_task(post.forwards(http).run())
        await until_true(lambda: len(http.requests) == 1)
        killed.cancel()
    http.let_go()
    async with running(post.forwards(http)):
        await until_true(lambda: clock.sleeping == 1)
        clock.advance(seconds=301)
        assert await post.ended(effect) == ["done"]
    assert len(http.requests) == 2


async def test_an_effect_that_kills_every_sender_ends_dead_unsent(
    post: Post, http: HttpReceiver, clock: VirtualClock
) -> None:
    effect = await post.enqueue()
    for _ in range(FEW.attempts):
        assert len(await post.database.outbox.claim(FORWARD_TOPIC, limit=1, lease_seconds=1)) == 1
        clock.advance(seconds=2)
    async with running(post.forwards(http)):
        assert await post.ended(effect) == ["dead"]
    assert http.requests == []


async def test_stopping_finishes_what_is_under_way(post: Post, http: HttpReceiver) -> None:
    http.hold_back()
    first, second = await post.enqueue(), await post.enqueue()
    sender = post.forwards(http)
    async with asyncio.TaskGroup() as group:
        group.create_task(sender.run())
        await until_true(lambda: len(http.requests) == 1)
        stopping = group.create_task(sender.stop())
        await asyncio.wait({stopping}, timeout=0.05)
        assert not stopping.done()
        http.let_go()
    assert [(await post.row(each)).state.value for each in (first, second)] == ["done", "pending"]


# Alerts ----------------------------------------------------------------------------------------------------------


async def test_an_alarm_is_told_by_mail(post: Post, mail: MailReceiver) -> None:
    await post.database.alarms.raise_(ALARM)
    async with running(post.alerts(mail=mail)):
        assert await post.all_ended() == ["done"]
    [envelope] = mail.mails
    content = str(envelope.content, "utf-8") if isinstance(envelope.content, bytes) else ""
    assert envelope.rcpt_tos == ["ops@vendor.example"]
    assert "Subject: [Tallyhook] unknown plan: plan:99" in content
    assert "map it in plans.toml and restart" in content
    assert "First seen 2026-11-02T09:30:00Z, 1 times so far." in content


async def test_an_alarm_is_told_by_webhook(post: Post, http: HttpReceiver) -> None:
    await post.database.alarms.raise_(ALARM)
    async with running(post.alerts(http=http)):
        assert await post.all_ended() == ["done"]
    [(headers, body)] = http.requests
    assert dict(headers)[b"Content-Type"] == b"application/json"
    assert json.loads(body) == {
        "kind": "unknown_plan",
        "subject": "plan:99",
        "detail": "map it in plans.toml and restart",
        "first_at": "2026-11-02T09:30:00Z",
        "count": 1,
        "text": "Tallyhook: unknown plan: plan:99. map it in plans.toml and restart",
    }


async def test_one_way_that_fails_does_not_repeat_the_other(post: Post, mail: MailReceiver, http: HttpReceiver) -> None:
    http.fail(500, times=2)
    await post.database.alarms.raise_(ALARM)
    sender = post.alerts(mail=mail, http=http)
    async with running(sender):
        await until_true(lambda: len(mail.mails) == 1 and len(http.requests) == 1)
        [failed] = [row for row in await post.database.outbox.list() if row.key.endswith(":webhook")]
        await post.pass_over(failed.id, 10, 20)
        assert await post.all_ended() == ["done", "done", "done"]
    assert len(http.requests) == 3
    assert len(mail.mails) == 1


async def test_without_any_way_an_alert_is_ignored(post: Post) -> None:
    await post.database.alarms.raise_(ALARM)
    async with running(post.alerts()):
        assert await post.all_ended() == ["ignored"]
    assert (await post.database.outbox.list())[0].error == NOBODY


async def test_a_final_no_of_the_mail_server_ends_at_once(post: Post, mail: MailReceiver) -> None:
    mail.recipient_replies += ["550 <ops@vendor.example> unknown"] * 2
    await post.database.alarms.raise_(ALARM)
    async with running(post.alerts(mail=mail)):
        # The alarm about the dead alert is told once, and that alert is dead too; there it ends.
        async def is_over() -> bool:
            return len(await post.database.outbox.list(state="dead")) == 2

        await until(is_over)
    assert (await post.database.outbox.list())[0].attempts == 1
    assert "@" not in (await post.database.outbox.list())[0].error
    assert ("effect_dead", "alert", 2) in await post.open_alarms()


async def test_alerts_that_fail_for_hours_do_not_multiply(post: Post, clock: VirtualClock) -> None:
    async def fail(_effect: ClaimedEffect) -> str:
        raise TemporaryFailureError("the mail server can't be reached")

    await post.database.alarms.raise_(ALARM)
    sender = post.sender(ALERT_TOPIC, fail)
    async with running(sender):
        await post.pass_over(1, *WAITS)
        # The alarm about the dead alert is told once, by an alert that dies too.
        await until(lambda: post.database.outbox.show(2))
        await post.pass_over(2, *WAITS)
        assert await post.ended(1, 2) == ["dead", "dead"]
        for _ in range(10):
            clock.advance(hours=2)
            sender.wake()
            await until_true(lambda: clock.sleeping == 1)
    assert len(await post.database.outbox.list()) == 2
