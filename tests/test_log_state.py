"""What a test sets up for its log is gone with it."""

import io
import logging

import pytest
import structlog

from bot.logs import set_up_logs
from tests.log_state import log_state_kept


def state() -> object:
    """All that setting up logs changes."""
    root = logging.getLogger()
    levels = [logging.getLogger(name).level for name in ("asyncio", "sqlalchemy", "alembic", "aiosqlite", "stamina")]
    return root.level, list(root.handlers), levels, structlog.is_configured(), structlog.get_config()


def test_logs_that_are_set_up_are_as_before_afterwards() -> None:
    before = state()

    with log_state_kept():
        set_up_logs(level="debug", stream=io.StringIO())
        assert state() != before

    assert state() == before


def test_so_they_are_where_they_were_set_up_before() -> None:
    stream = io.StringIO()
    set_up_logs(level="warning", stream=stream)
    before = state()

    with log_state_kept():
        set_up_logs(level="debug", stream=io.StringIO())

    assert state() == before
    structlog.get_logger().warning("here again")
    assert "here again" in stream.getvalue()
    assert logging.getLogger().level == logging.WARNING


@pytest.mark.parametrize("turn", [1, 2])
def test_no_test_sees_what_another_has_set_up(turn: int) -> None:
    assert not structlog.is_configured()
    assert logging.getLogger().level == logging.WARNING
    set_up_logs(level=("debug", "error")[turn - 1], stream=io.StringIO())
