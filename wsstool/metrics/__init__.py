"""Metrics of masks and tags: each accumulates, merges and returns a result. Numpy only."""
