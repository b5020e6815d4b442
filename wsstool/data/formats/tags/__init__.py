"""Foreign formats of image-level labels, one per file."""
