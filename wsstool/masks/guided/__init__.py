"""Refiners that read more than scores and image: regions of the image, or features of a network."""
