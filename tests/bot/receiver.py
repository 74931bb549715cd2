"""Receivers of what we send, on loopback: an HTTP address and a mail server, both with faults."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session


class HttpReceiver:
    """Takes POSTs. `answers` are used up one a request, then it answers 200."""

    def __init__(self) -> None:
        self.requests: list[tuple[tuple[tuple[bytes, bytes], ...], bytes]] = []
        self.answers: list[Callable[[web.Request], web.Response]] = []
        self._go = asyncio.Event()
        self._go.set()
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((tuple(request.raw_headers), body))
        await self._go.wait()
        return self.answers.pop(0)(request) if self.answers else web.Response()

    def hold_back(self) -> None:
        """Answer nothing until told to."""
        self._go.clear()

    def let_go(self) -> None:
        """Answer what was held back, and what comes."""
        self._go.set()

    def fail(self, status: int, *, times: int = 1, headers: dict[str, str] | None = None) -> None:
        """Answer so."""
        self.answers += [lambda _request: web.Response(status=status, headers=headers)] * times

    def break_off(self) -> None:
        """Close the connection without an answer."""

        def abort(request: web.Request) -> web.Response:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self.answers.append(abort)


class MailReceiver:
    """Takes mails. `replies` are used up one a mail, then it takes them."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.replies: list[str] = []
        self.recipient_replies: list[str] = []
        self.port = 0

    def url(self, scheme: str = "smtp") -> str:
        return f"{scheme}://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[Any]
    ) -> str:
        if self.recipient_replies:
            return self.recipient_replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        if self.replies:
            return self.replies.pop(0)
        self.mails.append(envelope)
        return "250 OK"
