"""Selectors: methods that choose among the proposals of a box."""
