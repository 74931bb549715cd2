"""What the tests of the bot share."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.plans import PlanCatalog
from bot.logs import set_up_logs
from bot.plans_file import read_plans
from tests.bot.deliveries import APP_SECRET, MARKER, MARKETPLACE_SECRET


@pytest.fixture
def plans() -> PlanCatalog:
    """The catalogue that ships."""
    return read_plans(Path(__file__).parents[2] / "plans.toml")


@pytest.fixture
def log_text() -> io.StringIO:
    """All that is logged while the test runs, down to the last detail, as the product writes it."""
    stream = io.StringIO()
    # Without the secrets: what doesn't get there needn't be dropped.
    set_up_logs(level="debug", stream=stream)
    return stream


@pytest.fixture
def clean_log(log_text: io.StringIO) -> Iterator[io.StringIO]:
    """The log, of which nothing may remind of a body, an e-mail address or a secret."""
    yield log_text
    for forbidden in (MARKER, "octocat", "@", "[redacted]", APP_SECRET, MARKETPLACE_SECRET, "sha256=", "BEGIN RSA"):
        assert forbidden not in log_text.getvalue()
