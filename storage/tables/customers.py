"""Customers, and what ties them to GitHub: subscriptions, installations, places of sign-up credits."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    func,
    literal_column,
    text,
)

from billing.values import InstallationState, SubscriptionState
from storage.columns import RowId, metadata, number, one_of, words

ENDED: Final[ColumnElement[str]] = literal_column("'ended'", Text)

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
