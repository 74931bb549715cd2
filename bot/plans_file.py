"""The plan catalogue's file."""

from pathlib import Path

from billing.errors import InvalidPlanCatalogError
from billing.plans import PlanCatalog, parse_plans


def read_plans(path: Path) -> PlanCatalog:
    """Read the plan catalogue.

    Raises:
        InvalidPlanCatalogError: the file can't be read, or has a fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InvalidPlanCatalogError(str(path), "isn't there, and the plans stand in it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidPlanCatalogError(str(path), "can't be read, and the plans stand in it") from error
    return parse_plans(text, source=str(path))
