"""How the tables in a database are compared with those of the program."""

from typing import Any

from sqlalchemy.sql.schema import SchemaItem


def comparison(engine: str) -> dict[str, Any]:
    """Alembic's options for comparing on this engine."""

    def is_included(item: SchemaItem, name: str | None, *_: object) -> bool:
        """Whether a table of ours exists on this engine, and isn't Alembic's own."""
        return item.info.get("engine", engine) == engine and name != "alembic_version"

    return {
        "include_object": is_included,
        # SQLite has no identity columns, which Alembic would miss there as defaults.
        "compare_server_default": engine != "sqlite",
    }
