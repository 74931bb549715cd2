"""`GET /api/v1/ledger/key`: the key by which anybody can check checkpoints and statements."""

from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from bot.problems import Problem, ProblemError
from bot.signing import Signer

PATH: Final = "/api/v1/ledger/key"

NO_KEY: Final = Problem(
    name="no-ledger-key",
    status=HTTPStatus.NOT_FOUND,
    title="This ledger isn't signed",
    detail="The server has no key to sign checkpoints and statements with. Its operator can set one.",
)


class LedgerKey:
    """Publishes the public half of the key that signs, and those of the keys that signed before it."""

    def __init__(self, signer: Signer | None) -> None:
        self._signer = signer

    async def show(self, _request: web.Request) -> web.Response:
        """Show the keys.

        Raises:
            ProblemError: there are none.
        """
        if self._signer is None:
            raise ProblemError(NO_KEY)
        document = {**self._signer.public.record(), "earlier": [key.record() for key in self._signer.earlier]}
        return web.Response(body=msgspec.json.encode(document), content_type="application/json")
