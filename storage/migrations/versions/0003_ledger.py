"""Holds, debt, paid units, checkpoints, flags; grants say where their credits are."""

import sqlalchemy as sa
from alembic import op

from storage.migrations import ledger_guards

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FAR = "253402300799000"
"""The moment that stands for never: the last second of the year 9999."""

COLUMNS = {
    "credit_accounts": (("held", "0"), ("debt", "0"), ("next_timeout", FAR)),
    "credit_grants": tuple(
        (name, "0") for name in ("held", "spent", "expired", "revoked", "taken", "owed", "reversed")
    ),
    "credit_transactions": tuple((name, "0") for name in ("held_after", "debt_after", "hold_id", "reverses")),
}
"""New columns of whole numbers, and what they hold where nobody says otherwise."""

OLD_ORIGINS = "origin IN ('signup', 'plan', 'goodwill')"
NEW_ORIGINS = (
    "origin IN ('signup', 'payment_method', 'plan', 'purchase', 'charged', 'goodwill', 'refund_reversal', 'migration')"
)
OLD_KINDS = "kind IN ('grant', 'spend', 'expire', 'revoke')"
NEW_KINDS = (
    "kind IN ('grant', 'spend', 'hold', 'capture', 'release', 'extend', 'expire', 'revoke', 'clawback', 'reinstate', "
    "'repay', 'adjust', 'waive', 'reverse')"
)
OLD_REMAINING = "remaining >= 0 AND remaining <= amount"
PLACES = (
    "remaining >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0 AND revoked >= 0 "
    "AND remaining + held + spent + expired + revoked = amount"
)
OLD_BALANCE = "balance_after >= 0"
NEW_BALANCE = "balance_after >= 0 AND held_after >= 0 AND held_after <= balance_after"

# Table, constraint, its condition before, its condition after; "" where it isn't there.
CHECKS = (
    ("credit_accounts", "held", "", "held >= 0 AND held <= posted"),
    ("credit_accounts", "debt", "", "debt >= 0"),
    ("credit_grants", "origin", OLD_ORIGINS, NEW_ORIGINS),
    ("credit_grants", "remaining", OLD_REMAINING, ""),
    ("credit_grants", "places", "", PLACES),
    ("credit_grants", "taken", "", "taken >= 0 AND taken <= revoked"),
    ("credit_grants", "owed", "", "owed >= 0 AND owed <= amount"),
    ("credit_grants", "reversed", "", "reversed >= 0 AND reversed <= amount"),
    ("credit_transactions", "kind", OLD_KINDS, NEW_KINDS),
    ("credit_transactions", "balance_after", OLD_BALANCE, NEW_BALANCE),
    ("credit_transactions", "debt_after", "", "debt_after >= 0"),
)

NEW_TABLES = ("credit_holds", "hold_shares", "charges", "ledger_checkpoints", "ledger_heads", "flags")
"""Parents first."""

PLACE_GRANTS = """
    UPDATE credit_grants SET spent = taken_there.used, expired = taken_there.expired, revoked = taken_there.revoked
    FROM (
        SELECT account_id, grant_number,
            sum(CASE WHEN credit = 'used' THEN amount ELSE 0 END) AS used,
            sum(CASE WHEN credit = 'expired' THEN amount ELSE 0 END) AS expired,
            sum(CASE WHEN credit = 'revoked' THEN amount ELSE 0 END) AS revoked
        FROM credit_moves
        GROUP BY account_id, grant_number
    ) AS taken_there
    WHERE taken_there.account_id = credit_grants.account_id AND taken_there.grant_number = credit_grants.number
"""
"""How much of each grant the journal took to each place, in one pass over the moves.

SQLite can do so since 3.33; dropping columns, as on the way back, needs 3.35.
"""


def upgrade() -> None:
    """Add the columns and tables, and say of each grant where its credits went until now."""
    for table, columns in COLUMNS.items():
        for name, default in columns:
            op.add_column(table, sa.Column(name, sa.BigInteger(), server_default=sa.text(default), nullable=False))
    op.add_column(
        "credit_transactions", sa.Column("unit", sa.Text(), server_default=sa.text("'credit'"), nullable=False)
    )
    op.execute(PLACE_GRANTS)
    _replace_checks(forwards=True)
    _create_tables()
    ledger_guards.set_up()


def downgrade() -> None:
    """Go back, unless there is something that the older version doesn't know: then it fails and nothing changes."""
    _refuse_unknown()
    for table in reversed(NEW_TABLES):
        op.drop_table(table)
    ledger_guards.take_down()
    _replace_checks(forwards=False)
    op.drop_column("credit_transactions", "unit")
    for table, columns in COLUMNS.items():
        for name, _ in columns:
            op.drop_column(table, name)


def _refuse_unknown() -> None:
    """Stop if there is what the older version could not read, or has no place for."""
    bind = op.get_bind()
    # Constants of ours, no input.
    known = f"{OLD_KINDS} AND hash_version = 1"
    for table, condition in (("credit_transactions", known), ("credit_grants", OLD_ORIGINS)):
        unknown = bind.execute(sa.text(f"SELECT count(*) FROM {table} WHERE NOT ({condition})")).scalar_one()  # noqa: S608
        if unknown:
            raise RuntimeError(f"{unknown} rows of {table} are of kinds that revision 0002 doesn't know")
    checkpoints = bind.execute(sa.text("SELECT count(*) FROM ledger_checkpoints")).scalar_one()
    if checkpoints:
        raise RuntimeError(
            f"{checkpoints} checkpoints of the ledger would be lost: revision 0002 has no place for them; take a "
            "backup, which keeps them, then drop the trigger ledger_checkpoints_no_delete, delete all rows of "
            "ledger_checkpoints, and go back again"
        )


def _replace_checks(*, forwards: bool) -> None:
    changes = [(table, name, *(sides if forwards else sides[::-1])) for table, name, *sides in CHECKS]
    if op.get_bind().dialect.name == "sqlite":
        _replace_checks_on_sqlite(changes)
        return
    for table, name, before, after in changes:
        if before:
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{name}_check")
        if after:
            # What is there holds it already by the constraints before: reading it all would keep everyone waiting.
            op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{name}_check CHECK ({after}) NOT VALID")


def _replace_checks_on_sqlite(changes: list[tuple[str, ...]]) -> None:
    """Write the tables' conditions anew in their definitions: no row is touched, and the journal keeps its triggers.

    SQLite documents this way for changes that leave what is stored alone.
    """
    bind = op.get_bind()
    version = bind.execute(sa.text("PRAGMA schema_version")).scalar_one()
    bind.execute(sa.text("PRAGMA writable_schema = ON"))
    for table in dict.fromkeys(change[0] for change in changes):
        select = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
        definition = str(bind.execute(select, {"name": table}).scalar_one())
        for _, name, before, after in (change for change in changes if change[0] == table):
            definition = _with_check(definition, f"{table}_{name}_check", before, after)
        update = sa.text("UPDATE sqlite_master SET sql = :definition WHERE type = 'table' AND name = :name")
        bind.execute(update, {"name": table, "definition": definition})
    bind.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    bind.execute(sa.text("PRAGMA writable_schema = OFF"))


def _with_check(definition: str, name: str, before: str, after: str) -> str:
    """The definition of a table with this constraint as it is to be."""
    old = f"CONSTRAINT {name} CHECK ({before})"
    new = f"CONSTRAINT {name} CHECK ({after})"
    if not before:
        # Constraints of a table stand behind its columns; each table has a primary key among them.
        place = definition.index("CONSTRAINT ")
        return f"{definition[:place]}{new}, {definition[place:]}"
    assert definition.count(old) == 1, name
    if after:
        return definition.replace(old, new)
    place = definition.index(old)
    return definition[:place] + definition[place + len(old) :].lstrip(" \n\t,")


def _create_tables() -> None:
    op.create_table(
        "credit_holds",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("paid_units", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("price_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("waived_units", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("captured", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'captured', 'released', 'timed_out')", name=op.f("credit_holds_state_check")
        ),
        sa.CheckConstraint(
            "credits >= 0 AND paid_units >= 0 AND waived_units >= 0 AND price_cents >= 0",
            name=op.f("credit_holds_units_check"),
        ),
        sa.CheckConstraint(
            "captured >= 0 AND captured <= credits + paid_units + waived_units",
            name=op.f("credit_holds_captured_check"),
        ),
        sa.CheckConstraint("(state = 'captured') = (captured > 0)", name=op.f("credit_holds_captured_state_check")),
        sa.ForeignKeyConstraint(["account_id"], ["credit_accounts.id"], name=op.f("credit_holds_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("credit_holds_pkey")),
    )
    op.create_index("credit_holds_account_id_idx", "credit_holds", ["account_id", "id"], unique=False)
    op.create_index(
        "credit_holds_open_idx",
        "credit_holds",
        ["account_id", "expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "hold_shares",
        sa.Column("hold_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("grant_number", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("hold_shares_amount_check")),
        sa.ForeignKeyConstraint(["hold_id"], ["credit_holds.id"], name=op.f("hold_shares_hold_id_fkey")),
        sa.PrimaryKeyConstraint("hold_id", "line", name=op.f("hold_shares_pkey")),
        sa.UniqueConstraint("hold_id", "grant_number", name=op.f("hold_shares_hold_id_grant_number_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "charges",
        sa.Column("hold_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("grant_number", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('pending')", name=op.f("charges_state_check")),
        sa.CheckConstraint("number > 0", name=op.f("charges_number_check")),
        sa.CheckConstraint("amount_cents >= 0", name=op.f("charges_amount_cents_check")),
        sa.ForeignKeyConstraint(["account_id"], ["credit_accounts.id"], name=op.f("charges_account_id_fkey")),
        sa.ForeignKeyConstraint(["hold_id"], ["credit_holds.id"], name=op.f("charges_hold_id_fkey")),
        sa.PrimaryKeyConstraint("hold_id", "number", name=op.f("charges_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index("charges_account_id_idx", "charges", ["account_id", "seq"], unique=False)
    op.create_table(
        "ledger_checkpoints",
        sa.Column("number", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("accounts", sa.BigInteger(), nullable=False),
        sa.Column("previous_digest", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("ledger_checkpoints_pkey")),
        sa.UniqueConstraint("digest", name=op.f("ledger_checkpoints_digest_key")),
    )
    op.create_table(
        "ledger_heads",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "version", name=op.f("ledger_heads_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index("ledger_heads_checkpoint_idx", "ledger_heads", ["checkpoint", "account_id"], unique=False)
    op.create_table(
        "flags",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("flags_pkey")),
    )
