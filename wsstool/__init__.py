"""wsstool: cheap labels in, pixel masks and trained segmenters out."""

__version__ = "0.1.0"
