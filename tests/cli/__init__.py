"""The command line: the real program, against real databases and the real stand-in."""
