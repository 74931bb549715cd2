"""Listings that come in pages, read forwards or from their newest end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Final

from billing.errors import TemporaryFailureError
from bot.github.transport import Answer, is_same_server

Ask = Callable[[str], Awaitable[Answer]]
"""Asks for the page at an address."""

MOST_PAGES: Final = 1000


async def forwards(ask: Ask, url: str) -> AsyncIterator[Answer]:
    """Read a listing page by page, up to the first page that isn't answered with `200`; that one is yielded too.

    Raises:
        TemporaryFailureError: Also when a page names a next one on another server, or there is no end.
    """
    asked = url
    for _ in range(MOST_PAGES):
        answer = await ask(url)
        yield answer
        url = answer.links.get("next", "")
        if answer.status != HTTPStatus.OK or not url:
            return
        _require_same_server(asked, url)
    raise TemporaryFailureError(f"GitHub lists more than {MOST_PAGES} pages")


async def newest_first(ask: Ask, url: str) -> AsyncIterator[Answer]:
    """Read a listing's first page, then its last one, and from there backwards to the second.

    What GitHub can only list with the oldest first is read so from its end: the first page alone tells where that is.
    Should it not, as listings may that are long or go by cursors, the way there leads over all pages, of which none but
    the last is kept. A page that isn't answered with `200` is the last to be yielded.

    Raises:
        TemporaryFailureError: As for `forwards`.
    """
    answer, asked = await ask(url), url
    yield answer
    if "last" not in answer.links and "next" in answer.links:
        async for page in _from_the_end(ask, url, answer.links["next"]):
            yield page
        return
    url = answer.links.get("last", "")
    for _ in range(MOST_PAGES):
        if answer.status != HTTPStatus.OK or not url:
            return
        _require_same_server(asked, url)
        answer = await ask(url)
        yield answer
        previous = answer.links.get("prev", "")
        url = "" if previous == answer.links.get("first") else previous
    raise TemporaryFailureError(f"GitHub lists more than {MOST_PAGES} pages")


async def _from_the_end(ask: Ask, asked: str, second: str) -> AsyncIterator[Answer]:
    """Go forwards from the second page to the last, and yield what was passed, the last first.

    The pages are asked for again on the way back: their addresses are little to keep, they themselves are not.
    """
    _require_same_server(asked, second)
    passed, answer = [second], await ask(second)
    while answer.status == HTTPStatus.OK and "next" in answer.links:
        if len(passed) == MOST_PAGES:
            raise TemporaryFailureError(f"GitHub lists more than {MOST_PAGES} pages")
        _require_same_server(asked, answer.links["next"])
        passed.append(answer.links["next"])
        answer = await ask(passed[-1])
    yield answer
    for url in reversed(passed[:-1]):
        if answer.status != HTTPStatus.OK:
            return
        answer = await ask(url)
        yield answer


def _require_same_server(one: str, other: str) -> None:
    if not is_same_server(one, other):
        raise TemporaryFailureError("GitHub's next page is on another server")
