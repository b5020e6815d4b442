"""Masks of all boxes of an image by a promptable segmenter: ``f(image, boxes, priors, **own)``."""
