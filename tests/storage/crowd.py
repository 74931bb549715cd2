"""Tables with enough rows that a plan which reads one from end to end costs more than one that doesn't."""

from tests.storage.raw import engine_of, execute

ROWS = 20_000
"""Customers, entries, deliveries and effects, nearly all finished, as in a database that has run for a while."""

OPEN = 400
"""Deliveries and effects that wait."""

NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}) ",
    "postgresql": "WITH numbers AS (SELECT generate_series(1, {rows}) AS n) ",
}
HASH = {
    "sqlite": "CAST(printf('%016d', n) AS BLOB)",
    "postgresql": "decode(lpad(n::text, 32, '0'), 'hex')",
}
OTHER_HASH = {
    "sqlite": "CAST(printf('other%011d', n) AS BLOB)",
    "postgresql": "decode(lpad(n::text, 32, 'f'), 'hex')",
}
"""A key stands for one entry or one refusal: the refused ones have other hashes."""
FIRST_HEAD = {"sqlite": "zeroblob(32)", "postgresql": "decode(repeat('00', 32), 'hex')"}

FILL = (
    (
        "INSERT INTO customers (id, github_account_id, github_login, source, created_at) {numbers}"
        "SELECT n, n + 1000000, 'login-' || n, 'github_installation', n FROM numbers"
    ),
    (
        "INSERT INTO credit_accounts (id, customer_id, unit, next_expiry, head) {numbers}"
        "SELECT n + 500000, n, 'credit', 9, {hash} FROM numbers"
    ),
    (
        "INSERT INTO credit_grants (account_id, number, origin, category, priority, amount, remaining, effective_at, "
        "expires_at, spent, expired) {numbers}SELECT n + 500000, 1, 'signup', 'promotional', 50, 5, n % 5, 1, n, "
        "CASE WHEN n % 100 > 0 THEN 5 - n % 5 ELSE 0 END, CASE WHEN n % 100 = 0 THEN 5 - n % 5 ELSE 0 END FROM numbers"
    ),
    # Holds of a few busy accounts, nearly all ended.
    (
        "INSERT INTO credit_holds (id, account_id, credits, captured, state, made_at, expires_at) {numbers}"
        "SELECT n, n % 100 + 500001, 1, CASE WHEN n % 40 = 0 THEN 0 ELSE 1 END, "
        "CASE WHEN n % 40 = 0 THEN 'open' ELSE 'captured' END, n, n FROM numbers"
    ),
    "INSERT INTO hold_shares (hold_id, line, grant_number, amount) {numbers}SELECT n, 0, 1, 1 FROM numbers",
    (
        "INSERT INTO charges (hold_id, number, account_id, seq, grant_number, amount_cents, created_at) {numbers}"
        "SELECT n, 1, n % 100 + 500001, n, n, 200, n FROM numbers"
    ),
    (
        "INSERT INTO ledger_checkpoints (number, made_at, accounts, previous_digest, digest, key_id, signature) "
        "{numbers}SELECT n, n, 1, {hash}, {hash}, 'key', {hash} FROM numbers"
    ),
    (
        "INSERT INTO ledger_heads (account_id, version, checkpoint, head) {numbers}"
        "SELECT n + 500000, 1, n, {hash} FROM numbers"
    ),
    (
        "INSERT INTO credit_transactions (account_id, seq, kind, amount, balance_after, idempotency_key, key_hash, "
        "request_hash, occurred_at, recorded_at, actor, note_hash, previous_hash, hash, hash_version) {numbers}"
        "SELECT n + 500000, 1, 'grant', 5, 5, 'signup', {hash}, {hash}, 1, 1, 'operator', {hash}, {first}, {hash}, 1 "
        "FROM numbers"
    ),
    (
        "INSERT INTO credit_moves (account_id, seq, line, debit, credit, grant_number, amount) {numbers}"
        "SELECT n + 500000, 1, 0, 'issued', 'grant', 1, 5 FROM numbers"
    ),
    (
        "INSERT INTO credit_notes (account_id, seq, text, actor_name, salt) {numbers}"
        "SELECT n + 500000, 1, 'why', 'Ada', {hash} FROM numbers"
    ),
    (
        "INSERT INTO refusals (key_hash, account_id, idempotency_key, request_hash, refusal, recorded_at) {numbers}"
        "SELECT {other_hash}, n + 500000, 'key', {hash}, '{{}}', 1 FROM numbers"
    ),
    (
        "INSERT INTO subscriptions (customer_id, provider, state, unmapped_plan_id, last_delivery_id) {numbers}"
        "SELECT n, 'github_marketplace', CASE WHEN n % 10 = 0 THEN 'active' ELSE 'ended' END, "
        "CASE WHEN n % 1000 = 0 THEN n ELSE 0 END, n FROM numbers"
    ),
    "INSERT INTO installations (id, customer_id, state, created_at) {numbers}SELECT n, n, 'active', 1 FROM numbers",
    "INSERT INTO signup_slots (installer_id, slot, customer_id, taken_at) {numbers}SELECT n, 1, n, 1 FROM numbers",
    (
        "INSERT INTO subscription_losses (customer_id, provider, at) {numbers}"
        "SELECT n, 'github_marketplace', n FROM numbers"
    ),
    (
        "INSERT INTO billing_events (source, route, delivery_id, event, partition, state, received_at, run_at, "
        "finished_at, body) {numbers}SELECT 'github', 'github', 'd' || n, 'installation', 'github:' || n, "
        "CASE WHEN n > {rows} - {open} THEN 'received' WHEN n % 100 = 0 THEN 'dead' ELSE 'done' END, n, n, "
        "CASE WHEN n > {rows} - {open} THEN 0 ELSE n END, CASE WHEN n > {rows} / 2 THEN {hash} END FROM numbers"
    ),
    (
        "INSERT INTO partitions (key, due_at) {numbers}"
        "SELECT 'github:' || n, CASE WHEN n > {rows} - {open} THEN n ELSE 253402300799000 END FROM numbers"
    ),
    (
        "INSERT INTO effects (topic, key, dedupe_key, payload, state, created_at, run_at, finished_at) {numbers}"
        "SELECT 'forward', 'key:' || (n % 100), 'e' || n, {hash}, CASE WHEN n > {rows} - {open} THEN 'pending' "
        "WHEN n % 100 = 0 THEN 'dead' ELSE 'done' END, n, n, n FROM numbers"
    ),
    # Installations that wrote much, and some of whose writes still wait.
    "INSERT INTO paces (subject, number, at) {numbers}SELECT 'installation:' || (n % 40), n, n FROM numbers",
    (
        "INSERT INTO pace_bookings (subject, holder, at) {numbers}"
        "SELECT 'installation:' || (n % 40), n, {rows} + n FROM numbers"
    ),
)

GROWING = frozenset(
    {
        "billing_events",
        "charges",
        "credit_accounts",
        "credit_grants",
        "credit_holds",
        "credit_moves",
        "credit_notes",
        "credit_transactions",
        "customers",
        "effects",
        "hold_shares",
        "installations",
        "ledger_checkpoints",
        "ledger_heads",
        "pace_bookings",
        "paces",
        "partitions",
        "refusals",
        "signup_slots",
        "subscription_losses",
        "subscriptions",
    }
)
"""Tables that grow with customers or with time. The others have a row a kind of alarm, a route or a series."""


async def fill(url: str) -> None:
    """Fill every growing table."""
    engine = engine_of(url)
    words = {
        "rows": ROWS,
        "open": OPEN,
        "hash": HASH[engine],
        "other_hash": OTHER_HASH[engine],
        "first": FIRST_HEAD[engine],
        "numbers": NUMBERS[engine].format(rows=ROWS),
    }
    statements = [statement.format(**words) for statement in FILL]
    # SQLite runs without statistics, as it does in use; PostgreSQL gathers them by itself.
    await execute(url, *statements, "SELECT 1" if engine == "sqlite" else "ANALYZE")
