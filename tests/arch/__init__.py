"""What the project holds itself to and no linter checks."""
