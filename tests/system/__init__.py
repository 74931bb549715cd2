"""The whole program: from signed webhooks at its door to what the ledger says, whatever goes wrong on the way."""
