"""The tables' history: one revision a change, each with its way back."""
