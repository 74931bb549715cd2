"""Which tables belong to which engine."""

from collections.abc import Callable

from sqlalchemy.sql.schema import SchemaItem


def is_of_this_engine(engine: str) -> Callable[..., bool]:
    """A filter for Alembic: whether a table of ours exists on this engine, and isn't Alembic's own."""

    def is_included(
        item: SchemaItem,
        name: str | None,
        *_: object,
    ) -> bool:
        return item.info.get("engine", engine) == engine and name != "alembic_version"

    return is_included
