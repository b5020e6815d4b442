"""Scores of masks and tags: things that accumulate, merge and give a result. Numpy only."""
