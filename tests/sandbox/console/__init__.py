"""The console: what it serves, what its actions do, what it shows, and how it is used in a browser."""
