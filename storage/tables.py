"""The tables, as both database engines have them.

Conditions of partial indexes are written as literals here and in the statements, since SQLite doesn't match a bound
parameter with an index's condition.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    func,
    literal_column,
    text,
)

from billing.values import (
    Category,
    EntryKind,
    InstallationState,
    Origin,
    SubscriptionState,
)
from storage.columns import RowId, metadata, number, one_of, words

RECEIVED: Final[ColumnElement[str]] = literal_column("'received'", Text)
PENDING: Final[ColumnElement[str]] = literal_column("'pending'", Text)
ENDED: Final[ColumnElement[str]] = literal_column("'ended'", Text)

DELIVERY_STATES: Final = ("received", "done", "ignored", "refused", "dead")
EFFECT_STATES: Final = ("pending", "done", "ignored", "refused", "dead")


customers = Table(
    "customers",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("github_account_id", BigInteger, nullable=False, unique=True),
    words("github_login"),
    words("github_type"),
    words("source", default=None),
    number("created_at", default=None),
    number("signup_at"),
    Column("signup_withheld", Boolean, nullable=False, server_default=text("false")),
    Column("shows_figures", Boolean, nullable=False, server_default=text("false")),
)
Index("customers_github_login_idx", func.lower(customers.c.github_login))

credit_accounts = Table(
    "credit_accounts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, ForeignKey("customers.id"), nullable=False),
    words("unit", default=None),
    number("posted"),
    number("version"),
    number("grants_made"),
    number("next_expiry", default=None),
    number("booked_at"),
    Column("head", LargeBinary, nullable=False),
    UniqueConstraint("customer_id", "unit"),
    CheckConstraint("posted >= 0", name="posted"),
    # The heads change with every entry: room on the page lets PostgreSQL update them without touching an index.
    postgresql_with={"fillfactor": "70"},
)

credit_grants = Table(
    "credit_grants",
    metadata,
    Column("account_id", BigInteger, ForeignKey("credit_accounts.id"), primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    words("origin", default=None),
    words("category", default=None),
    number("priority", default=None),
    number("amount", default=None),
    number("remaining", default=None),
    number("effective_at", default=None),
    number("expires_at", default=None),
    words("provider"),
    number("period_starts_at"),
    one_of("origin", Origin),
    one_of("category", Category),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("remaining >= 0 AND remaining <= amount", name="remaining"),
    sqlite_with_rowid=False,
)
Index(
    "credit_grants_open_idx",
    credit_grants.c.account_id,
    sqlite_where=credit_grants.c.remaining > literal_column("0"),
    postgresql_where=credit_grants.c.remaining > literal_column("0"),
)

credit_transactions = Table(
    "credit_transactions",
    metadata,
    Column("id", RowId, Identity(always=True), primary_key=True),
    Column("account_id", BigInteger, ForeignKey("credit_accounts.id"), nullable=False),
    number("seq", default=None),
    words("kind", default=None),
    number("amount", default=None),
    number("balance_after", default=None),
    words("idempotency_key", default=None),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    Column("request_hash", LargeBinary, nullable=False),
    number("occurred_at", default=None),
    number("recorded_at", default=None),
    words("actor", default=None),
    words("reference"),
    Column("note_hash", LargeBinary, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    number("hash_version", default=None),
    UniqueConstraint("account_id", "seq"),
    one_of("kind", EntryKind),
    CheckConstraint("balance_after >= 0", name="balance_after"),
    CheckConstraint("seq > 0", name="seq"),
)

credit_moves = Table(
    "credit_moves",
    metadata,
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    words("debit", default=None),
    words("credit", default=None),
    number("grant_number", default=None),
    number("amount", default=None),
    ForeignKeyConstraint(["account_id", "seq"], ["credit_transactions.account_id", "credit_transactions.seq"]),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("debit <> credit", name="debit"),
    sqlite_with_rowid=False,
)

credit_notes = Table(
    "credit_notes",
    metadata,
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    words("text", default=None),
    words("actor_name", default=None),
    Column("salt", LargeBinary, nullable=False),
    ForeignKeyConstraint(["account_id", "seq"], ["credit_transactions.account_id", "credit_transactions.seq"]),
    sqlite_with_rowid=False,
)

refusals = Table(
    "refusals",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("credit_accounts.id"), nullable=False),
    words("idempotency_key", default=None),
    Column("request_hash", LargeBinary, nullable=False),
    words("refusal", default=None),
    number("recorded_at", default=None),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("customer_id", BigInteger, ForeignKey("customers.id"), primary_key=True, autoincrement=False),
    Column("provider", Text, primary_key=True),
    words("subscription_type"),
    words("state", default=None),
    number("marketplace_plan_id"),
    number("unmapped_plan_id"),
    number("unit_count"),
    words("billing_cycle"),
    number("next_billing_date"),
    number("anchor_day"),
    number("period_starts_at"),
    number("period_ends_at"),
    number("period_allowance"),
    number("period_target"),
    number("period_granted"),
    number("period_grants"),
    words("pending_subscription_type"),
    number("pending_effective_at"),
    Column("subscription_cancel_at_period_end", Boolean, nullable=False, server_default=text("false")),
    Column("is_free", Boolean, nullable=False, server_default=text("false")),
    number("observation"),
    number("started_at"),
    number("confirmed_at"),
    number("missing_since"),
    number("ended_at"),
    number("last_delivery_id"),
    one_of("state", SubscriptionState),
    CheckConstraint("period_granted >= 0 AND period_granted <= period_target", name="period_granted"),
)
Index(
    "subscriptions_unmapped_idx",
    subscriptions.c.unmapped_plan_id,
    sqlite_where=subscriptions.c.unmapped_plan_id != literal_column("0"),
    postgresql_where=subscriptions.c.unmapped_plan_id != literal_column("0"),
)
Index(
    "subscriptions_living_idx",
    subscriptions.c.provider,
    sqlite_where=subscriptions.c.state != ENDED,
    postgresql_where=subscriptions.c.state != ENDED,
)

installations = Table(
    "installations",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, ForeignKey("customers.id"), nullable=False),
    words("state", default=None),
    words("repository_selection"),
    number("observation"),
    number("created_at", default=None),
    one_of("state", InstallationState),
    Index("installations_customer_id_idx", "customer_id"),
)

signup_slots = Table(
    "signup_slots",
    metadata,
    Column("installer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, ForeignKey("customers.id"), nullable=False),
    number("taken_at", default=None),
)

subscription_losses = Table(
    "subscription_losses",
    metadata,
    Column("id", RowId, Identity(always=True), primary_key=True),
    Column("customer_id", BigInteger, ForeignKey("customers.id"), nullable=False),
    words("provider", default=None),
    number("at", default=None),
)
Index("subscription_losses_at_idx", subscription_losses.c.at)

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
