"""Whether the process lives, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from bot.retries import TEMPORARY
from storage.database import Database

CHECK_SECONDS: Final = 3.0
"""How long a check may take; platforms ask every few seconds."""

LARGEST_LAG_SECONDS: Final = 120.0
"""Deliveries are applied within a second. When one that is due has waited so long, nobody is working on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that has to be right, and what was seen."""

    is_ok: bool
    detail: str


class Health:
    """Answers the platform.

    Args:
        largest_lag_seconds: how long a due delivery may wait before the server counts as not ready.
    """

    def __init__(self, database: Database, *, largest_lag_seconds: float = LARGEST_LAG_SECONDS) -> None:
        self._database = database
        self._largest_lag_seconds = largest_lag_seconds

    async def live(self, _request: web.Request) -> web.Response:
        """`GET /healthz`: the process lives."""
        return _json({"status": "alive"}, HTTPStatus.OK)

    async def ready(self, _request: web.Request) -> web.Response:
        """`GET /readyz`: the database answers, has this version's tables, and deliveries don't pile up."""
        checks = {
            "database": await _bounded(self._check_database),
            "migrations": await _bounded(self._check_migrations),
            "worker_lag": await _bounded(self._check_lag),
        }
        is_ready = all(check.is_ok for check in checks.values())
        document = {
            "status": "ready" if is_ready else "unready",
            "checks": {name: {"ok": check.is_ok, "detail": check.detail} for name, check in checks.items()},
        }
        return _json(document, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _check_database(self) -> Check:
        await self._database.ping()
        return Check(is_ok=True, detail="answers")

    async def _check_migrations(self) -> Check:
        status = await self._database.schema()
        if status.is_current:
            return Check(is_ok=True, detail=f"at revision {status.current}")
        return Check(
            is_ok=False, detail=f"at revision {status.current}, {status.head} is needed: run tallyhook migrate"
        )

    async def _check_lag(self) -> Check:
        lag_seconds = await self._database.inbox.lag_seconds()
        return Check(
            is_ok=lag_seconds < self._largest_lag_seconds,
            detail=f"the oldest due delivery waits for {lag_seconds:.1f} s, at most {self._largest_lag_seconds:.0f} s",
        )


async def _bounded(check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return Check(is_ok=False, detail=f"no answer within {CHECK_SECONDS:.0f} s")
    except TEMPORARY as failure:
        return Check(is_ok=False, detail=str(failure))


def _json(document: object, status: HTTPStatus) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")
