"""The ledger held to a naive model: by a seeded simulation, and by a state machine."""
