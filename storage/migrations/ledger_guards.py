"""The triggers of revision 0003, by which the database itself keeps the ledger whole. As fixed as the revision is."""

from alembic import op

ADDED_TO = {
    "hold_shares": (
        "hold_id = NEW.hold_id AND line = NEW.line",
        "hold_id = NEW.hold_id AND grant_number = NEW.grant_number",
    ),
    "ledger_checkpoints": ("number = NEW.number", "digest = NEW.digest"),
    "ledger_heads": ("account_id = NEW.account_id AND version = NEW.version",),
}
"""Tables that are only ever added to, and what an added row must not meet: SQLite's REPLACE would delete it."""

KEPT = {
    "credit_accounts": ("id = NEW.id", "customer_id = NEW.customer_id AND unit = NEW.unit"),
    "credit_grants": ("account_id = NEW.account_id AND number = NEW.number",),
    "credit_holds": ("id = NEW.id",),
    "charges": ("hold_id = NEW.hold_id AND number = NEW.number",),
}
"""Tables whose rows stay but change in part, and what an added row must not meet."""

TERMS = {
    "credit_accounts": ("id", "customer_id", "unit"),
    "credit_grants": (
        *("account_id", "number", "origin", "category", "priority", "amount", "effective_at", "expires_at"),
        *("provider", "period_starts_at"),
    ),
    "credit_holds": (
        *("id", "account_id", "credits", "paid_units", "price_cents", "waived_units", "reference", "made_at"),
    ),
    "charges": ("hold_id", "number", "account_id", "seq", "grant_number", "amount_cents", "created_at"),
}
"""What never changes in a row of those."""

NOT_NEXT = "an entry must follow the last one of its account"
SECOND_ROW = "a key stands for one entry or one refusal"

FIRST_HEAD = {"sqlite": "zeroblob(32)", "postgresql": "decode(repeat('00', 32), 'hex')"}
"""What an account's first entry follows: 32 zero bytes."""

IS_REFUSED = "EXISTS (SELECT 1 FROM refusals WHERE key_hash = NEW.key_hash)"
IS_BOOKED = "EXISTS (SELECT 1 FROM credit_transactions WHERE key_hash = NEW.key_hash)"


def set_up() -> None:
    """Guard the tables, which are all there."""
    if op.get_bind().dialect.name == "sqlite":
        _guard_on_sqlite()
    else:
        _guard_on_postgresql()


def take_down() -> None:
    """Take the triggers off the tables that stay; those of the others have gone with them."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    third = "no_replace" if is_sqlite else "no_truncate"
    guards = [("credit_transactions", "no_gap"), ("refusals", "no_second")]
    guards += [
        (table, guard) for table in ("credit_accounts", "credit_grants") for guard in ("no_update", "no_delete", third)
    ]
    for table, guard in guards:
        op.execute(f"DROP TRIGGER {table}_{guard}" if is_sqlite else f"DROP TRIGGER {table}_{guard} ON {table}")
    if not is_sqlite:
        for function in ("refuse_gap", "refuse_second", "refuse_with"):
            op.execute(f"DROP FUNCTION {function}")


def _follows(engine: str) -> str:
    """Whether an entry follows the account's last one by its number, its hash and its balance: one look-up.

    The first follows nothing; any other one its predecessor, which a second one of the same number can't do again.
    """
    return (
        f"(NEW.seq = 1 AND NEW.previous_hash = {FIRST_HEAD[engine]} AND NEW.balance_after = NEW.amount "  # noqa: S608 - constants of ours
        "OR EXISTS (SELECT 1 FROM credit_transactions WHERE account_id = NEW.account_id AND seq = NEW.seq - 1 "
        "AND hash = NEW.previous_hash AND balance_after + NEW.amount = NEW.balance_after))"
    )


def _differs(table: str) -> str:
    """Whether an update changes what never changes; of a hold, also whether that has ended."""
    differs = " OR ".join(f"NEW.{column} <> OLD.{column}" for column in TERMS[table])
    return f"OLD.state <> 'open' OR {differs}" if table == "credit_holds" else differs


def _refusal(table: str) -> str:
    """What a change of a guarded table is answered with."""
    if table in ADDED_TO:
        return f"{table} is only ever added to"
    return f"rows of {table} stay, and so do their terms"


def _guard_on_sqlite() -> None:
    op.execute(
        "CREATE TRIGGER credit_transactions_no_gap BEFORE INSERT ON credit_transactions BEGIN "
        f"SELECT RAISE(ABORT, '{NOT_NEXT}') WHERE NOT {_follows('sqlite')}; "
        f"SELECT RAISE(ABORT, '{SECOND_ROW}') WHERE {IS_REFUSED}; END"
    )
    op.execute(
        "CREATE TRIGGER refusals_no_second BEFORE INSERT ON refusals "
        f"WHEN {IS_BOOKED} BEGIN SELECT RAISE(ABORT, '{SECOND_ROW}'); END"
    )
    for table, keys in {**ADDED_TO, **KEPT}.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{_refusal(table)}'); END"
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
        # One look-up a key, so that each goes by its index.
        meets = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key})" for key in keys)  # noqa: S608 - constants of ours
        op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {meets} {refuse}")
    for table in ADDED_TO:
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{_refusal(table)}'); END"
        )
    for table, columns in TERMS.items():
        # Where only columns that are named can change, a spend's update doesn't even ask. A row's id can also be
        # changed as its `rowid`, which no list of columns would notice.
        of_columns = "" if "id" in columns else f"OF {', '.join(columns)} "
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE {of_columns}ON {table} WHEN {_differs(table)} "
            f"BEGIN SELECT RAISE(ABORT, '{_refusal(table)}'); END"
        )


def _create_functions() -> None:
    """Create what PostgreSQL's triggers call."""
    op.execute(
        f"""
        CREATE FUNCTION refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {_follows("postgresql")} AND NOT {IS_REFUSED} THEN
                RETURN NEW;
            END IF;
            IF {IS_REFUSED} THEN
                RAISE EXCEPTION '{SECOND_ROW}' USING ERRCODE = 'restrict_violation';
            END IF;
            RAISE EXCEPTION '{NOT_NEXT}' USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )
    op.execute(
        f"""
        CREATE FUNCTION refuse_second() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {IS_BOOKED} THEN
                RAISE EXCEPTION '{SECOND_ROW}' USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_with() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )


def _guard_on_postgresql() -> None:
    """Refuse the same; an INSERT over a row comes as an UPDATE."""
    _create_functions()
    op.execute(
        "CREATE TRIGGER credit_transactions_no_gap BEFORE INSERT ON credit_transactions "
        "FOR EACH ROW EXECUTE FUNCTION refuse_gap()"
    )
    op.execute(
        "CREATE TRIGGER refusals_no_second BEFORE INSERT ON refusals FOR EACH ROW EXECUTE FUNCTION refuse_second()"
    )
    for table in (*ADDED_TO, *KEPT):
        update, scope = _update_on_postgresql(table)
        for name, change, each in (
            ("update", update, scope),
            ("delete", "DELETE", "STATEMENT"),
            ("truncate", "TRUNCATE", "STATEMENT"),
        ):
            op.execute(
                f"CREATE TRIGGER {table}_no_{name} BEFORE {change} ON {table} "
                f"FOR EACH {each} EXECUTE FUNCTION refuse_with('{_refusal(table)}')"
            )


def _update_on_postgresql(table: str) -> tuple[str, str]:
    """Which updates are refused, and for each of what: triggers for a whole statement cost its rows nothing."""
    if table in ADDED_TO:
        return "UPDATE", "STATEMENT"
    if table == "credit_holds":
        return "UPDATE", f"ROW WHEN ({_differs(table)})"
    return f"UPDATE OF {', '.join(TERMS[table])}", "STATEMENT"
