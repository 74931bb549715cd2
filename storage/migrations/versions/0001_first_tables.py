"""The ledger, the customers, the inbox, the outbox and the alarms."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

APPEND_ONLY = {
    "credit_transactions": ("id = NEW.id", "key_hash = NEW.key_hash", "account_id = NEW.account_id AND seq = NEW.seq"),
    "credit_moves": ("account_id = NEW.account_id AND seq = NEW.seq AND line = NEW.line",),
    "refusals": ("key_hash = NEW.key_hash",),
}
"""Tables that are only ever added to, and what an added row must not meet: SQLite's REPLACE would delete it."""

# Parents first.
TABLES = (
    "customers",
    "credit_accounts",
    "credit_grants",
    "credit_transactions",
    "credit_moves",
    "credit_notes",
    "refusals",
    "subscriptions",
    "installations",
    "signup_slots",
    "subscription_losses",
    "billing_events",
    "partitions",
    "effects",
    "alarms",
    "pings",
)


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "alarms",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("notified_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("acked_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("acked_by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("recovered_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name=op.f("alarms_pkey")),
    )
    op.create_table(
        "billing_events",
        sa.Column("id", ROW_ID, sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'received'"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeats", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "state IN ('received', 'done', 'ignored', 'refused', 'dead')", name=op.f("billing_events_state_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("billing_events_pkey")),
        sa.UniqueConstraint("delivery_id", "route", name=op.f("billing_events_delivery_id_route_key")),
    )
    op.create_index(
        "billing_events_due_idx",
        "billing_events",
        ["partition", "run_at"],
        unique=False,
        sqlite_where=sa.text("state = 'received'"),
        postgresql_where=sa.text("state = 'received'"),
    )
    op.create_index(
        "billing_events_finished_idx",
        "billing_events",
        ["state", "id"],
        unique=False,
        sqlite_where=sa.text("state != 'received'"),
        postgresql_where=sa.text("state != 'received'"),
    )
    op.create_index(
        "billing_events_kept_body_idx",
        "billing_events",
        ["finished_at"],
        unique=False,
        sqlite_where=sa.text("finished_at > 0 AND body IS NOT NULL"),
        postgresql_where=sa.text("finished_at > 0 AND body IS NOT NULL"),
    )
    op.create_index(
        "billing_events_received_idx",
        "billing_events",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'received'"),
        postgresql_where=sa.text("state = 'received'"),
    )
    op.create_table(
        "customers",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("github_account_id", sa.BigInteger(), nullable=False),
        sa.Column("github_login", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("github_type", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signup_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("signup_withheld", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("customers_pkey")),
        sa.UniqueConstraint("github_account_id", name=op.f("customers_github_account_id_key")),
    )
    op.create_index("customers_github_login_idx", "customers", [sa.text("lower(github_login)")])
    op.create_table(
        "effects",
        sa.Column("id", ROW_ID, sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'done', 'ignored', 'refused', 'dead')", name=op.f("effects_state_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("effects_pkey")),
        sa.UniqueConstraint("dedupe_key", name=op.f("effects_dedupe_key_key")),
    )
    op.create_index(
        "effects_due_idx",
        "effects",
        ["topic", "run_at"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "effects_finished_idx",
        "effects",
        ["state", "id"],
        unique=False,
        sqlite_where=sa.text("state != 'pending'"),
        postgresql_where=sa.text("state != 'pending'"),
    )
    op.create_index(
        "effects_order_idx",
        "effects",
        ["key", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "partitions",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("partitions_pkey")),
        postgresql_with={"fillfactor": "70"},
        sqlite_with_rowid=False,
    )
    op.create_index("partitions_due_at_idx", "partitions", ["due_at"], unique=False)
    op.create_table(
        "pings",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_event_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("route", name=op.f("pings_pkey")),
    )
    op.create_table(
        "credit_accounts",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("posted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("grants_made", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_expiry", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("posted >= 0", name=op.f("credit_accounts_posted_check")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("credit_accounts_customer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("credit_accounts_pkey")),
        sa.UniqueConstraint("customer_id", "unit", name=op.f("credit_accounts_customer_id_unit_key")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "installations",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("repository_selection", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("observation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'suspended', 'deleted')", name=op.f("installations_state_check")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("installations_customer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("installations_pkey")),
    )
    op.create_index("installations_customer_id_idx", "installations", ["customer_id"], unique=False)
    op.create_table(
        "signup_slots",
        sa.Column("installer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("signup_slots_customer_id_fkey")),
        sa.PrimaryKeyConstraint("installer_id", "slot", name=op.f("signup_slots_pkey")),
    )
    op.create_table(
        "subscription_losses",
        sa.Column("id", ROW_ID, sa.Identity(always=True), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("subscription_losses_customer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("subscription_losses_pkey")),
    )
    op.create_index("subscription_losses_at_idx", "subscription_losses", ["at"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("subscription_type", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("marketplace_plan_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unmapped_plan_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unit_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("billing_cycle", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("next_billing_date", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("anchor_day", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("period_starts_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("period_ends_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("period_allowance", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("period_target", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("period_granted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("period_grants", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("pending_subscription_type", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("pending_effective_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("subscription_cancel_at_period_end", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_free", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("observation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("missing_since", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_delivery_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "state IN ('trialing', 'active', 'unconfirmed', 'ended')", name=op.f("subscriptions_state_check")
        ),
        sa.CheckConstraint(
            "period_granted >= 0 AND period_granted <= period_target", name=op.f("subscriptions_period_granted_check")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("subscriptions_customer_id_fkey")),
        sa.PrimaryKeyConstraint("customer_id", "provider", name=op.f("subscriptions_pkey")),
    )
    op.create_index(
        "subscriptions_living_idx",
        "subscriptions",
        ["provider"],
        unique=False,
        sqlite_where=sa.text("state != 'ended'"),
        postgresql_where=sa.text("state != 'ended'"),
    )
    op.create_index(
        "subscriptions_unmapped_idx",
        "subscriptions",
        ["unmapped_plan_id"],
        unique=False,
        sqlite_where=sa.text("unmapped_plan_id != 0"),
        postgresql_where=sa.text("unmapped_plan_id != 0"),
    )
    op.create_table(
        "credit_grants",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("period_starts_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("category IN ('promotional', 'paid')", name=op.f("credit_grants_category_check")),
        sa.CheckConstraint("origin IN ('signup', 'plan', 'goodwill')", name=op.f("credit_grants_origin_check")),
        sa.CheckConstraint("amount > 0", name=op.f("credit_grants_amount_check")),
        sa.CheckConstraint("remaining >= 0 AND remaining <= amount", name=op.f("credit_grants_remaining_check")),
        sa.ForeignKeyConstraint(["account_id"], ["credit_accounts.id"], name=op.f("credit_grants_account_id_fkey")),
        sa.PrimaryKeyConstraint("account_id", "number", name=op.f("credit_grants_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "credit_grants_open_idx",
        "credit_grants",
        ["account_id"],
        unique=False,
        sqlite_where=sa.text("remaining > 0"),
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_table(
        "credit_transactions",
        sa.Column("id", ROW_ID, sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("note_hash", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash_version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('grant', 'spend', 'expire', 'revoke')", name=op.f("credit_transactions_kind_check")
        ),
        sa.CheckConstraint("balance_after >= 0", name=op.f("credit_transactions_balance_after_check")),
        sa.CheckConstraint("seq > 0", name=op.f("credit_transactions_seq_check")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["credit_accounts.id"], name=op.f("credit_transactions_account_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("credit_transactions_pkey")),
        sa.UniqueConstraint("account_id", "seq", name=op.f("credit_transactions_account_id_seq_key")),
        sa.UniqueConstraint("key_hash", name=op.f("credit_transactions_key_hash_key")),
    )
    op.create_table(
        "refusals",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["credit_accounts.id"], name=op.f("refusals_account_id_fkey")),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("refusals_pkey")),
    )
    op.create_table(
        "credit_moves",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("debit", sa.Text(), nullable=False),
        sa.Column("credit", sa.Text(), nullable=False),
        sa.Column("grant_number", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("credit_moves_amount_check")),
        sa.CheckConstraint("debit <> credit", name=op.f("credit_moves_debit_check")),
        sa.ForeignKeyConstraint(
            ["account_id", "seq"],
            ["credit_transactions.account_id", "credit_transactions.seq"],
            name=op.f("credit_moves_account_id_seq_fkey"),
        ),
        sa.PrimaryKeyConstraint("account_id", "seq", "line", name=op.f("credit_moves_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "credit_notes",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "seq"],
            ["credit_transactions.account_id", "credit_transactions.seq"],
            name=op.f("credit_notes_account_id_seq_fkey"),
        ),
        sa.PrimaryKeyConstraint("account_id", "seq", name=op.f("credit_notes_pkey")),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":
        op.create_table(
            "sequences",
            sa.Column("name", sa.Text(), nullable=False),
            sa.Column("value", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("name", name="sequences_pkey"),
        )
        op.execute("INSERT INTO sequences (name, value) VALUES ('ids', 0), ('observations', 0)")
        guard_on_sqlite()
    else:
        op.execute("CREATE SEQUENCE ids AS bigint")
        op.execute("CREATE SEQUENCE observations AS bigint")
        guard_on_postgresql()


def downgrade() -> None:
    """Drop everything."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("sequences")
    else:
        op.execute("DROP FUNCTION refuse_change")
        op.execute("DROP SEQUENCE ids")
        op.execute("DROP SEQUENCE observations")


def guard_on_sqlite() -> None:
    """Refuse every change of what is only added to."""
    for table, keys in APPEND_ONLY.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is only ever added to'); END"
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
        # One look-up a key, so that each goes by its index.
        meets = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key})" for key in keys)  # noqa: S608 - constants of ours
        op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {meets} {refuse}")


def guard_on_postgresql() -> None:
    """Refuse every change of what is only added to; an INSERT over a row comes as an UPDATE."""
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )
    for table in APPEND_ONLY:
        for change in ("update", "delete", "truncate"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change} BEFORE {change.upper()} ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
