"""GitHub's webhooks: read, verify, record, answer. Nothing else happens while GitHub waits."""
