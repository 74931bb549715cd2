"""What the tests of the bot share."""

from pathlib import Path

import pytest

from billing.plans import PlanCatalog
from bot.plans_file import read_plans


@pytest.fixture
def plans() -> PlanCatalog:
    """The catalogue that ships."""
    return read_plans(Path(__file__).parents[2] / "plans.toml")
