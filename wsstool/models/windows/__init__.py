"""A network over overlapping windows of an image that is too large for one pass."""
