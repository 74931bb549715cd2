"""The domain: plans, commands, decisions and the credit ledger, on the standard library only."""
