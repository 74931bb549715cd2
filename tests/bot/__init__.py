"""Tests of the edge, the worker and what surrounds them."""
