"""How GitHub refuses: a status, a short message, and where to read about it."""

from collections.abc import Mapping

DOCUMENTATION = "https://docs.github.com/rest"


class ApiError(Exception):
    """An answer of the REST API that isn't the one asked for.

    Attributes:
        status: The HTTP status.
        message: GitHub's words.
        headers: Further headers of the answer.
        errors: Details of a `422`.
        url: Where what was asked for has moved.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, str]] | None = None,
        documentation_url: str = DOCUMENTATION,
        url: str | None = None,
    ) -> None:
        """Say what is refused and why."""
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.errors = errors
        self.documentation_url = documentation_url
        self.url = url

    def body(self) -> dict[str, object]:
        """Return the answer's JSON."""
        body: dict[str, object] = {
            "message": self.message,
            "documentation_url": self.documentation_url,
            "status": str(self.status),
        }
        if self.errors is not None:
            body["errors"] = self.errors
        if self.url is not None:
            body["url"] = self.url
        return body


class ActionError(ValueError):
    """An actor was asked for something that GitHub's pages wouldn't offer, such as buying twice."""


def not_found() -> ApiError:
    """Return GitHub's plain 404, which also hides what one may not see."""
    return ApiError(404, "Not Found")
