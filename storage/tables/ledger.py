"""The credit ledger: accounts, grants, the journal, refusals, holds, charges and checkpoints."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

from billing.values import DEFAULT_UNIT, NEVER, Category, EntryKind, HoldState, Origin, to_milliseconds
from storage.columns import RowId, metadata, number, one_of, words

FAR: Final = to_milliseconds(NEVER)

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
    number("held"),
    number("debt"),
    number("next_timeout", default=FAR),
    UniqueConstraint("customer_id", "unit"),
    CheckConstraint("posted >= 0", name="posted"),
    CheckConstraint("held >= 0 AND held <= posted", name="held"),
    CheckConstraint("debt >= 0", name="debt"),
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
    number("held"),
    number("spent"),
    number("expired"),
    number("revoked"),
    number("taken"),
    number("owed"),
    number("reversed"),
    one_of("origin", Origin),
    one_of("category", Category),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint(
        "remaining >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0 AND revoked >= 0 "
        "AND remaining + held + spent + expired + revoked = amount",
        name="places",
    ),
    CheckConstraint("taken >= 0 AND taken <= revoked", name="taken"),
    CheckConstraint("owed >= 0 AND owed <= amount", name="owed"),
    CheckConstraint("reversed >= 0 AND reversed <= amount", name="reversed"),
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
    number("held_after"),
    number("debt_after"),
    number("hold_id"),
    number("reverses"),
    words("unit", default=DEFAULT_UNIT),
    UniqueConstraint("account_id", "seq"),
    one_of("kind", EntryKind),
    CheckConstraint("balance_after >= 0 AND held_after >= 0 AND held_after <= balance_after", name="balance_after"),
    CheckConstraint("debt_after >= 0", name="debt_after"),
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

OPEN: Final[ColumnElement[str]] = literal_column("'open'", Text)

credit_holds = Table(
    "credit_holds",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("account_id", BigInteger, ForeignKey("credit_accounts.id"), nullable=False),
    number("credits", default=None),
    number("paid_units"),
    number("price_cents"),
    number("waived_units"),
    number("captured"),
    words("state", default=None),
    words("reference"),
    number("made_at", default=None),
    number("expires_at", default=None),
    one_of("state", HoldState),
    CheckConstraint("credits >= 0 AND paid_units >= 0 AND waived_units >= 0 AND price_cents >= 0", name="units"),
    CheckConstraint("captured >= 0 AND captured <= credits + paid_units + waived_units", name="captured"),
    CheckConstraint("(state = 'captured') = (captured > 0)", name="captured_state"),
    Index("credit_holds_account_id_idx", "account_id", "id"),
)
OPEN_HOLD: Final = credit_holds.c.state == OPEN
Index(
    "credit_holds_open_idx",
    credit_holds.c.account_id,
    credit_holds.c.expires_at,
    sqlite_where=OPEN_HOLD,
    postgresql_where=OPEN_HOLD,
)

hold_shares = Table(
    "hold_shares",
    metadata,
    Column("hold_id", BigInteger, ForeignKey("credit_holds.id"), primary_key=True, autoincrement=False),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    number("grant_number", default=None),
    number("amount", default=None),
    UniqueConstraint("hold_id", "grant_number"),
    CheckConstraint("amount > 0", name="amount"),
    sqlite_with_rowid=False,
)

charges = Table(
    "charges",
    metadata,
    Column("hold_id", BigInteger, ForeignKey("credit_holds.id"), primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", BigInteger, ForeignKey("credit_accounts.id"), nullable=False),
    number("seq", default=None),
    number("grant_number", default=None),
    number("amount_cents", default=None),
    words("state", default="pending"),
    number("created_at", default=None),
    one_of("state", ("pending",)),
    CheckConstraint("number > 0", name="number"),
    CheckConstraint("amount_cents >= 0", name="amount_cents"),
    Index("charges_account_id_idx", "account_id", "seq"),
    sqlite_with_rowid=False,
)

ledger_checkpoints = Table(
    "ledger_checkpoints",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=False),
    number("made_at", default=None),
    number("accounts", default=None),
    Column("previous_digest", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    words("key_id", default=None),
    Column("signature", LargeBinary, nullable=False),
)

ledger_heads = Table(
    "ledger_heads",
    metadata,
    # No foreign key: an account that was removed is to be missed.
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    number("checkpoint", default=None),
    Column("head", LargeBinary, nullable=False),
    Index("ledger_heads_checkpoint_idx", "checkpoint", "account_id"),
    sqlite_with_rowid=False,
)
