"""Weakly supervised segmentation: from image-level labels or boxes to pixel masks and trained segmenters."""

__version__ = "0.1.0"
