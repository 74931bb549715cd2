"""The ledger, the inbox and the outbox in SQLite or PostgreSQL; implements `billing.ports`."""
