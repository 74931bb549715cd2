"""The log: one line an event, with the ids that belong to it, as JSON or for people. Set up once.

What is logged never holds a secret, an e-mail address or a body; that is everybody's duty. `Redactor` is the last line
of defence for what slips through all the same, above all in the texts of errors.
"""

import logging
import re
import sys
from collections.abc import Collection, Mapping
from typing import Any, Final, TextIO

import msgspec
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, Processor, WrappedLogger
from typing_extensions import override

REDACTED: Final = "[redacted]"

QUIETER: Final = ("asyncio", "sqlalchemy", "alembic", "aiosqlite", "stamina")
"""Libraries that say at INFO what only their own developers want to know."""

_SHORTEST_SECRET: Final = 8
"""A shorter text is no secret of ours; dropping it would tear holes into words."""

_TOKENS: Final = re.compile(
    r"""
      gh[a-z]_[A-Za-z0-9_]{6,}                                        # GitHub's tokens
    | github_pat_[A-Za-z0-9_]{6,}
    | (?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{6,}                   # Stripe's keys
    | (?:[Bb]earer|[Bb]asic|[Tt]oken)\ [A-Za-z0-9._~+/=-]{8,}
    | (?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_.-]{8,}      # JSON web tokens
    | sha256=[0-9a-f]{64}
    | -----BEGIN [^-]*-----[^-]*(?:-----END [^-]*-----)?              # keys
    """,
    re.VERBOSE,
)
_LOGIN_IN_ADDRESS: Final = re.compile(r"(?<=://)[^\s/@]++(?=@)")
# The look-behind lets each word be tried once only, so that a long text takes no longer than its length.
_MAIL: Final = re.compile(r"""(?<![^\s@<>"'(),:;=\\])[^\s@<>"'(),:;=\\]++@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+""")

_DEEPEST: Final = 6
"""Log values are flat; what is nested deeper than this is shown as text."""


class Redactor:
    """Drops what must not be in a log from every text of a line.

    Args:
        secrets: texts that are secret whatever they look like.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._secrets = re.compile("|".join(re.escape(secret) for secret in known)) if known else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Clean a line, as structlog calls its processors."""
        return {name: self._clean(value, 0) for name, value in event.items()}

    def clean(self, text: str) -> str:
        """Clean one text."""
        if self._secrets is not None:
            text = self._secrets.sub(REDACTED, text)
        text = _TOKENS.sub(REDACTED, text)
        if "@" in text:
            text = _MAIL.sub(REDACTED, _LOGIN_IN_ADDRESS.sub(REDACTED, text))
        return text

    def _clean(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.clean(value)
        if depth < _DEEPEST and isinstance(value, Mapping):
            return {self.clean(str(name)): self._clean(part, depth + 1) for name, part in value.items()}
        if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return [self._clean(part, depth + 1) for part in value]
        return self.clean(str(value))


class _ToStructlog(logging.Handler):
    """Hands what libraries log to the same lines as our own."""

    def __init__(self, processors: list[Processor], stream: TextIO) -> None:
        super().__init__()
        self._processors = processors
        self._stream = stream

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            line: Any = _event_of(record)
            for processor in self._processors:
                line = processor(None, record.levelname.lower(), line)
            print(line, file=self._stream, flush=True)
        except Exception as error:  # noqa: BLE001 - a log line that fails must not take down what it tells of
            # Not `handleError`, which would print the line as it was before it was cleaned.
            sys.stderr.write(f"a log line of {record.name} couldn't be written: {type(error).__name__}\n")


def _event_of(record: logging.LogRecord) -> EventDict:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        # What came isn't HTTP. aiohttp's message and traceback quote its bytes, which anybody may have chosen.
        return {"event": "http_malformed", "level": "warning", "logger": record.name, "error": type(error).__name__}
    event: EventDict = {"event": record.getMessage(), "level": record.levelname.lower(), "logger": record.name}
    if error is not None:
        event["exc_info"] = error
    return event


def set_up_logs(
    *, level: str = "info", form: str = "json", secrets: Collection[str] = (), stream: TextIO | None = None
) -> None:
    """Set up structlog and the standard library's logging alike. Later calls replace earlier ones.

    Args:
        level: the least serious line that is written: debug, info, warning or error.
        form: `json`, or `console` for people.
        secrets: texts to drop wherever they turn up.
        stream: where lines go; standard error if absent, so that a command's output stays clean.
    """
    target = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping()[level.upper()]
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        Redactor(secrets),
        _renderer(form, target),
    ]
    printer = structlog.PrintLogger(target)
    structlog.configure(
        processors=[structlog.processors.add_log_level, *processors],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # One for all: making one for each line takes longer than writing it.
        logger_factory=lambda *_: printer,
        # A cached logger would go on with the old set-up.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _ToStructlog):
            root.removeHandler(handler)
    root.addHandler(_ToStructlog(processors, target))
    root.setLevel(max(number, logging.INFO))
    for name in QUIETER:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _renderer(form: str, stream: TextIO) -> Processor:
    if form == "console":
        return structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="at")
    return structlog.processors.JSONRenderer(serializer=_as_json)


def _as_json(event: object, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
