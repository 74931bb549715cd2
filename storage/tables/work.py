"""The inbox and the outbox, alarms, paces, and the sources of numbers."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Identity,
    Index,
    LargeBinary,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

from storage.columns import RowId, metadata, number, one_of, words

RECEIVED: Final[ColumnElement[str]] = literal_column("'received'", Text)
PENDING: Final[ColumnElement[str]] = literal_column("'pending'", Text)

DELIVERY_STATES: Final = ("received", "done", "ignored", "refused", "dead")
EFFECT_STATES: Final = ("pending", "done", "ignored", "refused", "dead")

billing_events = Table(
    "billing_events",
    metadata,
    Column("id", RowId, Identity(always=True), primary_key=True),
    words("source", default=None),
    words("route", default=None),
    words("delivery_id", default=None),
    words("event", default=None),
    words("action"),
    words("partition", default=None),
    words("state", default="received"),
    number("attempts"),
    number("repeats"),
    number("received_at", default=None),
    number("run_at", default=None),
    number("finished_at"),
    words("error"),
    Column("body", LargeBinary),
    # The delivery's id leads, so that a batch is looked up by that one column.
    UniqueConstraint("delivery_id", "route"),
    one_of("state", DELIVERY_STATES),
)
Index(
    "billing_events_due_idx",
    billing_events.c.partition,
    billing_events.c.run_at,
    sqlite_where=billing_events.c.state == RECEIVED,
    postgresql_where=billing_events.c.state == RECEIVED,
)
Index(
    "billing_events_received_idx",
    billing_events.c.id,
    sqlite_where=billing_events.c.state == RECEIVED,
    postgresql_where=billing_events.c.state == RECEIVED,
)
Index(
    "billing_events_finished_idx",
    billing_events.c.state,
    billing_events.c.id,
    sqlite_where=billing_events.c.state != RECEIVED,
    postgresql_where=billing_events.c.state != RECEIVED,
)
KEPT_BODY: Final = (billing_events.c.finished_at > literal_column("0")) & billing_events.c.body.is_not(None)
"""A finished delivery whose body is still there, for the retention."""
Index("billing_events_kept_body_idx", billing_events.c.finished_at, sqlite_where=KEPT_BODY, postgresql_where=KEPT_BODY)

partitions = Table(
    "partitions",
    metadata,
    Column("key", Text, primary_key=True),
    number("due_at", default=None),
    number("lease_number"),
    number("lease_until"),
    Index("partitions_due_at_idx", "due_at"),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": "70"},
)

effects = Table(
    "effects",
    metadata,
    Column("id", RowId, Identity(always=True), primary_key=True),
    words("topic", default=None),
    words("key", default=None),
    Column("dedupe_key", Text, nullable=False, unique=True),
    Column("payload", LargeBinary, nullable=False),
    words("state", default="pending"),
    number("attempts"),
    number("created_at", default=None),
    number("run_at", default=None),
    number("lease_until"),
    number("lease_number"),
    number("finished_at"),
    words("error"),
    one_of("state", EFFECT_STATES),
)
Index(
    "effects_due_idx",
    effects.c.topic,
    effects.c.run_at,
    sqlite_where=effects.c.state == PENDING,
    postgresql_where=effects.c.state == PENDING,
)
Index(
    "effects_order_idx",
    effects.c.key,
    effects.c.id,
    sqlite_where=effects.c.state == PENDING,
    postgresql_where=effects.c.state == PENDING,
)
Index(
    "effects_finished_idx",
    effects.c.state,
    effects.c.id,
    sqlite_where=effects.c.state != PENDING,
    postgresql_where=effects.c.state != PENDING,
)

alarms = Table(
    "alarms",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    words("detail", default=None),
    number("first_at", default=None),
    number("last_at", default=None),
    number("count", default=None),
    number("notified_at"),
    number("acked_at"),
    words("acked_by"),
    number("recovered_at"),
)

paces = Table(
    "paces",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    number("at", default=None),
    Index("paces_at_idx", "at"),
    sqlite_with_rowid=False,
)

pace_bookings = Table(
    "pace_bookings",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("holder", BigInteger, primary_key=True, autoincrement=False),
    number("at", default=None),
    Index("pace_bookings_subject_idx", "subject", "at"),
    Index("pace_bookings_at_idx", "at"),
    sqlite_with_rowid=False,
)

pings = Table("pings", metadata, Column("route", Text, primary_key=True), number("at"), number("last_event_at"))

flags = Table(
    "flags",
    metadata,
    Column("name", Text, primary_key=True),
    words("value", default=None),
    number("set_at", default=None),
    words("set_by"),
)

sequences = Table(
    "sequences",
    metadata,
    Column("name", Text, primary_key=True),
    number("value", default=None),
    # PostgreSQL has sequences of its own, which several processes draw from without waiting for each other.
    info={"engine": "sqlite"},
)

IDS: Final = Sequence("ids", data_type=BigInteger, metadata=metadata)
OBSERVATIONS: Final = Sequence("observations", data_type=BigInteger, metadata=metadata)
