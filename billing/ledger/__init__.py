"""The credit ledger: entries, the book that writes them, the hash chain, and the checks that find what is broken."""
