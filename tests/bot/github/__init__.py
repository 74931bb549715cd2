"""Tests of the client of GitHub, against the stand-in."""
