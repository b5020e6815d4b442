"""Trained networks opened from weights files: classifiers, segmenters, contour networks."""
