"""The command line: one module a group of commands, each importing what it needs only when its command runs."""
