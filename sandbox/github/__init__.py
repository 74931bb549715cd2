"""A stateful stand-in for GitHub: what a billing App meets there, and what goes wrong there."""
