"""The conversation on GitHub."""
