"""Metrics that accumulate, merge and report."""
