"""Tests of the handlers, through the router."""
