"""Mail to a real mail server: what arrives, and what its refusals mean."""

import email
import email.policy
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiosmtpd.smtp import AuthResult

from billing.errors import TemporaryFailureError
from bot.mail import Mail, Mailer, MailRefusedError, MailServer
from tests.bot.receiver import MailReceiver
from tests.bot.receiving import mail_receiver

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MAIL = Mail(recipient="ops@vendor.example", subject="Two\r\nlines", text="Grüße\n", reference="alert-7")


@pytest.fixture
async def receiver() -> AsyncIterator[MailReceiver]:
    async with mail_receiver() as started:
        yield started


def mailer(receiver: MailReceiver, *, timeout_seconds: float = 5) -> Mailer:
    return Mailer(
        MailServer.from_url(receiver.url()), sender="Tallyhook <bot@tally.example>", timeout_seconds=timeout_seconds
    )


async def test_a_mail_arrives_whole(receiver: MailReceiver) -> None:
    await mailer(receiver).send(MAIL, now=NOW)
    [envelope] = receiver.mails
    assert envelope.mail_from == "bot@tally.example"
    assert envelope.rcpt_tos == ["ops@vendor.example"]
    assert isinstance(envelope.content, bytes)
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["Subject"] == "Two lines"
    assert message["From"] == "Tallyhook <bot@tally.example>"
    assert message["To"] == "ops@vendor.example"
    assert message["Message-ID"] == "<alert-7@tally.example>"
    assert message["Date"] == "Tue, 10 Mar 2026 12:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().strip() == "Grüße"


@pytest.mark.parametrize("reply", ["450 Mailbox <ops@vendor.example> busy", "421 Shutting down", "452 Full"])
async def test_a_no_for_now_is_a_temporary_failure(receiver: MailReceiver, reply: str) -> None:
    receiver.replies.append(reply)
    with pytest.raises(TemporaryFailureError, match=f"the mail server answered {reply[:3]}") as failure:
        await mailer(receiver).send(MAIL, now=NOW)
    assert "@" not in str(failure.value)
    assert failure.value.__cause__ is None
    await mailer(receiver).send(MAIL, now=NOW)
    assert len(receiver.mails) == 1


@pytest.mark.parametrize("reply", ["550 <ops@vendor.example> unknown", "554 Spam"])
async def test_a_final_no_is_final(receiver: MailReceiver, reply: str) -> None:
    receiver.replies.append(reply)
    with pytest.raises(MailRefusedError, match=reply[:3]) as refusal:
        await mailer(receiver).send(MAIL, now=NOW)
    assert "@" not in str(refusal.value)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("450 <ops@vendor.example> later", TemporaryFailureError), ("550 <ops@vendor.example> never", MailRefusedError)],
)
async def test_a_no_to_the_recipient_counts_alike(
    receiver: MailReceiver, reply: str, expected: type[Exception]
) -> None:
    receiver.recipient_replies.append(reply)
    with pytest.raises(expected, match=reply[:3]):
        await mailer(receiver).send(MAIL, now=NOW)


async def test_nobody_there_is_a_temporary_failure(unused_tcp_port: int) -> None:
    absent = MailReceiver()
    absent.port = unused_tcp_port
    with pytest.raises(TemporaryFailureError, match="can't be reached"):
        await mailer(absent).send(MAIL, now=NOW)


async def test_a_password_is_sent_where_it_may_be() -> None:
    seen: list[bytes] = []

    def authenticate(_server: object, _session: object, _envelope: object, _how: str, data: object) -> AuthResult:
        seen.append(getattr(data, "password"))  # noqa: B009 -- aiosmtpd types it as anything
        return AuthResult(success=True)

    async with mail_receiver(auth_require_tls=False, authenticator=authenticate) as receiver:
        server = MailServer.from_url(f"smtp://us%40er:p%3Aw@127.0.0.1:{receiver.port}")
        await Mailer(server, sender="bot@tally.example", timeout_seconds=5).send(MAIL, now=NOW)
        assert seen == [b"p:w"]
        assert len(receiver.mails) == 1


@pytest.mark.parametrize(
    ("url", "use_tls", "start_tls"),
    [
        ("smtps://user:pass@mail.example.com", True, False),
        ("smtp://user:pass@mail.example.com:587", False, True),
        ("smtp://mail.example.com", False, None),
        ("smtp://user:pass@127.0.0.1:1025", False, None),
        ("smtp://user:pass@mailhog:1025", False, None),
    ],
)
def test_a_password_never_leaves_unencrypted(url: str, use_tls: bool, start_tls: bool | None) -> None:  # noqa: FBT001 -- what is expected
    server = MailServer.from_url(url)
    assert (server.use_tls, server.start_tls) == (use_tls, start_tls)
    assert "pass" not in repr(server)


def test_a_recipient_is_not_printed() -> None:
    assert "ops@" not in repr(MAIL)
