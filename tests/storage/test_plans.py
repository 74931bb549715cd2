"""No statement reads a growing table from end to end: each is explained as it is executed, with 1 and with 64 rows."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Engine,
    Insert,
    Integer,
    LargeBinary,
    Select,
    Text,
    create_engine,
    event,
    text,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.types import NullType

import storage.database
from storage.engines import parse_url
from storage.statements import BATCH, REGISTRY
from tests.storage.crowd import GROWING, fill
from tests.storage.raw import engine_of

EXCEPTIONS = {
    ("unit.living_subscriptions", "subscriptions_living_idx"): "counts them, and is asked once losses are many",
    ("replaying.find_old_bodies", "subscriptions_unmapped_idx"): "plans that nobody has mapped yet are few",
    ("inbox.oldest_due", "billing_events_received_idx"): "stops at the first that is due; only what waits is in there",
    ("effects.next_due", "effects_due_idx"): "stops at the first that may go; only what waits is in there",
    ("taking_over.free_effects", "effects_order_idx"): "once, at a start; only what waits is in there",
}
"""Indexes that a statement may read without a bound, each with the reason why it stays short."""

ROWS = (1, BATCH)

MOMENTS = {"since": 19_990, "now": 1_000_000, "before": 1_000_000, "after": 19_900}
"""Where a statement looks up to, or from: losses of the last hour, everything that is due, the newest page."""


class _CapturedError(Exception):
    """Carries a statement out of the moment before it would be executed."""

    def __init__(self, sql: str, parameters: Any) -> None:
        super().__init__(sql)
        self.sql = sql
        self.parameters = parameters


@dataclass(frozen=True)
class Explained:
    """A statement's plan: of each growing table that it reads, how."""

    plan: str
    offences: list[str]


def capture(_connection: Connection, _cursor: object, sql: str, parameters: Any, _context: object, many: bool) -> None:  # noqa: FBT001
    # An executemany's rows are a list; what is sent as one statement with many rows isn't.
    raise _CapturedError(sql, parameters[0] if many and isinstance(parameters, list) else parameters)


def value_of(kind: Any, number: int) -> object:
    match kind:
        case Boolean():
            return True
        case LargeBinary():
            return number.to_bytes(16, "big")
        case Text():
            return f"github:{number}"
        case Integer() | BigInteger() | NullType():
            return number
        case _:
            pytest.fail(f"a parameter of another kind: {kind!r}")


def parameters_of(connection: Connection, statement: Any, rows: int) -> Any:
    """Made up parameters: lists of so many values, and so many rows for what is written."""
    if isinstance(statement, Insert):
        own = {column.name: column.type for column in statement.table.columns if column.identity is None}
        others = statement.compile(connection).binds
        kinds = {name: bind.type for name, bind in others.items() if name not in statement.table.columns} | own
        kinds = {name: kind for name, kind in kinds.items() if not re.search(r"_\d+$", name)}
        return [{name: value_of(kind, number) for name, kind in kinds.items()} for number in range(1, rows + 1)]
    binds = {name: bind for name, bind in statement.compile(connection).binds.items() if bind.required}
    return {
        name: [value_of(bind.type, number) for number in range(1, rows + 1)]
        if bind.expanding
        else value_of(bind.type, MOMENTS.get(name, 5))
        for name, bind in binds.items()
    }


def as_executed(connection: Connection, statement: Any, rows: int) -> _CapturedError:
    """What the driver would get."""
    event.listen(connection, "before_cursor_execute", capture)
    try:
        with pytest.raises(_CapturedError) as captured:
            connection.execute(statement, parameters_of(connection, statement, rows))
    finally:
        event.remove(connection, "before_cursor_execute", capture)
    return captured.value


def sqlite_offences(name: str, plan: str) -> list[str]:
    found = []
    for line in plan.splitlines():
        scan = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", line)
        if scan and scan[1] in GROWING | {"older", "later"} and (name, scan[2]) not in EXCEPTIONS:
            found.append(line)
    return found


def postgres_offences(name: str, node: dict[str, Any], *, is_limited: bool = False) -> Iterator[str]:
    kind, table = node["Node Type"], node.get("Relation Name", "")
    index = node.get("Index Name", "")
    is_bounded = any(node.get(key) for key in ("Index Cond", "Recheck Cond"))
    if table in GROWING and kind == "Seq Scan":
        yield f"{kind} on {table}"
    if "Index" in kind and not is_bounded and not is_limited and (name, index) not in EXCEPTIONS:
        yield f"{kind} of all of {index}"
    for child in node.get("Plans", ()):
        yield from postgres_offences(name, child, is_limited=is_limited or kind == "Limit")


def explain_on_sqlite(connection: Connection, name: str, rows: int) -> Explained:
    captured = as_executed(connection, REGISTRY[name].statement, rows)
    lines = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {captured.sql}", captured.parameters)
    plan = "\n".join(row[3] for row in lines)
    return Explained(plan, sqlite_offences(name, plan))


def explain_on_postgres(connection: Connection, name: str, rows: int) -> Explained:
    captured = as_executed(connection, REGISTRY[name].statement, rows)
    found = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {captured.sql}", captured.parameters).scalar_one()
    plan = found if isinstance(found, list) else json.loads(found)
    return Explained(json.dumps(plan, indent=1), list(postgres_offences(name, plan[0]["Plan"])))


def explain_all(connection: Connection) -> dict[tuple[str, int], Explained]:
    engine = connection.dialect.name
    explain = explain_on_sqlite if engine == "sqlite" else explain_on_postgres
    return {
        (name, rows): explain(connection, name, rows)
        for name, registered in REGISTRY.items()
        if engine in registered.engines
        for rows in ROWS
    }


async def test_no_statement_reads_a_growing_table_from_end_to_end(database_url: str) -> None:
    await fill(database_url)
    engine = create_async_engine(parse_url(database_url), poolclass=NullPool)
    async with engine.connect() as connection:
        explained = await connection.run_sync(explain_all)
    await engine.dispose()

    offences = {key: each.offences for key, each in explained.items() if each.offences}
    assert offences == {}, "\n".join(explained[key].plan for key in offences)
    of_this_engine = [each for each in REGISTRY.values() if engine_of(database_url) in each.engines]
    assert len(explained) == len(of_this_engine) * len(ROWS) > 100


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM billing_events WHERE error = 'x'",
        "SELECT sum(amount) FROM credit_transactions",
        "SELECT id FROM credit_transactions WHERE idempotency_key = 'x'",
        "UPDATE effects SET error = '' WHERE topic = 'x'",
        "SELECT count(*) FROM effects WHERE state = 'pending'",
    ],
)
async def test_a_scan_would_be_seen(database_url: str, sql: str) -> None:
    await fill(database_url)
    engine = create_async_engine(parse_url(database_url), poolclass=NullPool)
    async with engine.connect() as connection:
        if engine_of(database_url) == "sqlite":
            plan = "\n".join([row[3] for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {sql}"))])
            found = sqlite_offences("", plan)
        else:
            plan = (await connection.execute(text(f"EXPLAIN (FORMAT JSON) {sql}"))).scalar_one()
            found = list(postgres_offences("", plan[0]["Plan"]))
    await engine.dispose()

    assert found, plan


def test_every_statement_of_the_package_is_registered(tmp_path: Path) -> None:
    """A statement that a module keeps to itself would be explained by nobody."""
    engine: Engine = create_engine(f"sqlite:///{tmp_path}/none.db")
    known = {id(registered.statement) for registered in REGISTRY.values()}
    modules = sorted(path.stem for path in (Path(storage.database.__file__).parent).glob("*.py"))
    kept = [
        f"{module}.{name}"
        for module in modules
        for name, value in vars(__import__(f"storage.{module}", fromlist=[module])).items()
        if isinstance(value, Insert | Select) and not name.startswith("_") and id(value) not in known
    ]
    engine.dispose()

    assert len(modules) > 20
    assert kept == []
