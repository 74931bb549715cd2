"""One request and its answer, as observers of the stand-in see it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request to the REST API and what was answered.

    Attributes:
        path: Without the API's prefix.
        query: The raw query string.
        headers: Names in lower case.
        response_headers: Names in lower case.
        fault: The fault that made this answer, or that took it away; such an answer follows no contract.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    response_headers: Mapping[str, str]
    response_body: bytes
    fault: str | None = None


Observer = Callable[[Exchange], None]
