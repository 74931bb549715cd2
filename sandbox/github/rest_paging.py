"""Pages of lists, with the links that lead from one to the next."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode

from aiohttp import web

from sandbox.github.errors import ApiError
from sandbox.github.state import GitHubState

Item = TypeVar("Item")
DEFAULT_PAGE_SIZE = 30
LARGEST_PAGE_SIZE = 100


def page_size(query: Mapping[str, str]) -> int:
    """Return how many items a page has; GitHub cuts larger wishes to its own limit."""
    return min(max(whole_number(query, "per_page", DEFAULT_PAGE_SIZE), 1), LARGEST_PAGE_SIZE)


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number of the query.

    Raises:
        ApiError: 422; it isn't one.
    """
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise ApiError(422, "Validation Failed", errors=[{"resource": "Query", "field": name, "code": "invalid"}])
    return int(text)


def since(query: Mapping[str, str]) -> datetime | None:
    """Return the moment from which on changes are wanted, if the query names one.

    Raises:
        ApiError: 422; it isn't a time.
    """
    text = query.get("since")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(
            422, "Validation Failed", errors=[{"resource": "Query", "field": "since", "code": "invalid"}]
        ) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def page_of(
    request: web.Request, state: GitHubState, items: Sequence[Item], *, path: str
) -> tuple[list[Item], dict[str, str]]:
    """Cut the wished page out of a list and return it with its `Link` header."""
    size = page_size(request.query)
    number = max(whole_number(request.query, "page", 1), 1)
    last = max((len(items) + size - 1) // size, 1)
    links: dict[str, int] = {}
    if number > 1:
        links |= {"prev": min(number - 1, last)}
    if number < last:
        links |= {"next": number + 1, "last": last}
    if number > 1:
        links |= {"first": 1}
    rest = {name: value for name, value in request.query.items() if name != "page"}
    header = ", ".join(
        f'<{state.api_url}{path}?{urlencode({**rest, "page": page})}>; rel="{rel}"' for rel, page in links.items()
    )
    return list(items[(number - 1) * size : number * size]), ({"Link": header} if header else {})
