"""Tests of the sandbox: the clock, the stand-in for GitHub, and the console page."""
