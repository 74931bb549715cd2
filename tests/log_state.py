"""Logging as it was: what a test, or a command in this process, sets up for it ends with it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from bot.logs import QUIETER


@contextmanager
def log_state_kept() -> Iterator[None]:
    """Put levels, handlers and structlog's configuration back on leaving."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, QUIETER))}
    configuration = structlog.get_config() if structlog.is_configured() else None
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for logger, level in levels.items():
            logger.setLevel(level)
        structlog.reset_defaults()
        if configuration is not None:
            structlog.configure(**configuration)
