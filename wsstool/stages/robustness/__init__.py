"""Score a classifier or a segmenter on corrupted images."""
