"""SQL beside the program: what a test looks at and breaks by hand, over a connection without any of our settings."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from storage.columns import metadata
from storage.engines import parse_url

Content = dict[str, list[tuple[Any, ...]]]
"""All rows of some tables, sorted."""


def engine_of(url: str) -> str:
    """Which engine is meant: `sqlite` or `postgresql`."""
    return parse_url(url).get_backend_name()


async def execute(url: str, *statements: str, **parameters: object) -> Sequence[tuple[Any, ...]]:
    """Run statements in one transaction and return the rows of the last one."""
    engine = create_async_engine(parse_url(url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            for statement in statements[:-1]:
                await connection.execute(text(statement))
            result = await connection.execute(text(statements[-1]), parameters)
            return [tuple(row) for row in result.all()] if result.returns_rows else []
    finally:
        await engine.dispose()


async def scalar(url: str, statement: str, **parameters: object) -> Any:
    """The first column of the first row."""
    return (await execute(url, statement, **parameters))[0][0]


async def dump(url: str, tables: Sequence[str]) -> Content:
    """All rows of these tables, sorted."""
    engine = create_async_engine(parse_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            content = {}
            for table in tables:
                rows = await connection.execute(text(f"SELECT * FROM {table}"))
                content[table] = sorted((tuple(row) for row in rows), key=repr)
            return content
    finally:
        await engine.dispose()


async def everything(url: str) -> Content:
    """All rows of all tables."""
    tables = [name for name in metadata.tables if name != "sequences" or engine_of(url) == "sqlite"]
    return await dump(url, tables)


async def is_the_same(url: str, twin_url: str) -> bool:
    """Whether two databases hold the same. Numbers that PostgreSQL has given out stay so after a rollback."""
    one, other = await everything(url), await everything(twin_url)
    if engine_of(url) == "sqlite":
        return one == other
    return {table: len(rows) for table, rows in one.items()} == {table: len(rows) for table, rows in other.items()}
