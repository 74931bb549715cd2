"""Problem documents (RFC 9457): what went wrong with a request, for programs by `type` and for people by `detail`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

CONTENT_TYPE: Final = "application/problem+json"

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One kind of problem. It never changes its name once released.

    Attributes:
        name: its stable name, the last part of `type`.
        status: the answer's HTTP status.
        title: what is wrong, the same words for every occurrence.
        detail: how to get out of it.
    """

    name: str
    status: HTTPStatus
    title: str
    detail: str

    @property
    def type(self) -> str:
        """The URI that programs compare. It names, it leads nowhere."""
        return f"urn:tallyhook:problem:{self.name}"

    def document(self, *, request_id: str) -> bytes:
        """The problem as JSON text. The request's id is what the log's lines carry too."""
        return json.dumps(
            {
                "type": self.type,
                "title": self.title,
                "status": self.status.value,
                "detail": self.detail,
                "request_id": request_id,
            }
        ).encode()


class ProblemError(Exception):
    """A request ends with this problem.

    Attributes:
        problem: what is told to the caller.
        headers: further headers of the answer.
        is_last: whether the connection can't go on, because the rest of the request was left unread.
    """

    def __init__(self, problem: Problem, *, headers: Mapping[str, str] = _NO_HEADERS, is_last: bool = False) -> None:
        super().__init__(problem.name)
        self.problem = problem
        self.headers = headers
        self.is_last = is_last


NOT_FOUND: Final = Problem(
    name="not-found",
    status=HTTPStatus.NOT_FOUND,
    title="There is nothing at this address",
    detail="Check the path. GET / says what this server is and where things are.",
)
METHOD_NOT_ALLOWED: Final = Problem(
    name="method-not-allowed",
    status=HTTPStatus.METHOD_NOT_ALLOWED,
    title="This address doesn't take this method",
    detail="Use one of the methods that the Allow header names.",
)
BAD_REQUEST: Final = Problem(
    name="bad-request",
    status=HTTPStatus.BAD_REQUEST,
    title="The request can't be understood",
    detail="Check the request against the description of this address.",
)
INTERNAL_ERROR: Final = Problem(
    name="internal-error",
    status=HTTPStatus.INTERNAL_SERVER_ERROR,
    title="Something broke here",
    detail="It isn't the request's fault and it was logged. Tell the operator the request_id if it goes on.",
)
