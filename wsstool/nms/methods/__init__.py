"""The published non-maximum suppression methods, one per file."""
