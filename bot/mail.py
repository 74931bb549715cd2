"""Sending mail by the operator's mail server."""

from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

from billing.errors import TemporaryFailureError
from bot.settings.addresses import is_inside

TIMEOUT_SECONDS: Final = 30.0
"""For each step of the conversation."""

PERMANENT: Final = 500
"""From this reply code on, the server's no is final (RFC 5321, 4.2.1)."""


class MailRefusedError(Exception):
    """The mail server refused for good; trying again changes nothing. The text holds no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail, to one address.

    Attributes:
        reference: Makes the same Message-ID of the same mail when it is sent again, so that readers see it once.
    """

    recipient: str = field(repr=False)
    subject: str
    text: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """How to reach the mail server.

    Attributes:
        use_tls: Encrypted from the first byte.
        start_tls: Whether the conversation must turn to encryption; None where it does if the server can.
    """

    host: str
    port: int | None
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    use_tls: bool
    start_tls: bool | None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read `smtp://[user:password@]host[:port]`, or `smtps://`, which encrypts from the first byte.

        A password never leaves unencrypted for another network than our own.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        encrypted = parts.scheme == "smtps"
        must_encrypt = not encrypted and parts.password is not None and not is_inside(host)
        return cls(
            host=host,
            port=parts.port,
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            use_tls=encrypted,
            start_tls=False if encrypted else must_encrypt or None,
        )


class Mailer:
    """Sends mails, one connection each: they are few.

    Args:
        server: The mail server.
        sender: The sender's address, alone or in angle brackets behind a name.
    """

    def __init__(self, server: MailServer, *, sender: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._server = server
        self._sender = sender
        self._domain = parseaddr(sender)[1].rpartition("@")[2]
        self._timeout_seconds = timeout_seconds

    async def send(self, mail: Mail, *, now: datetime) -> None:
        """Hand the mail to the server.

        Raises:
            TemporaryFailureError: The server can't be reached, or can't take it now.
            MailRefusedError: It won't ever.
        """
        try:
            await aiosmtplib.send(
                self._message(mail, now),
                hostname=self._server.host,
                port=self._server.port,
                username=self._server.username,
                password=self._server.password,
                use_tls=self._server.use_tls,
                start_tls=self._server.start_tls,
                local_hostname=self._domain,
                timeout=self._timeout_seconds,
            )
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            code = _reply_code(error)
            if code >= PERMANENT:
                raise MailRefusedError(f"the mail server refused the mail ({code})") from None
            reason = f"answered {code}" if code else f"can't be reached: {type(error).__name__}"
            # Neither the reply's text nor the cause is kept: they repeat addresses.
            raise TemporaryFailureError(f"the mail server {reason}") from None

    def _message(self, mail: Mail, now: datetime) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = Address(addr_spec=parseaddr(mail.recipient)[1])
        message["Subject"] = " ".join(mail.subject.split())
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{mail.reference}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message


def _reply_code(error: Exception) -> int:
    """Return the server's reply code; 0 if it gave none."""
    match error:
        case aiosmtplib.SMTPResponseException():
            return error.code
        case aiosmtplib.SMTPRecipientsRefused():
            return min((refused.code for refused in error.recipients), default=0)
        case _:
            return 0
