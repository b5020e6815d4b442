"""Weights files of other programs, read unchanged."""
