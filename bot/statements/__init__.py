"""Signed statements: made, written as JSON or CSV, read back and checked by whoever has the published key."""
