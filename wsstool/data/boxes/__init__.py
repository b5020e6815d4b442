"""Boxes with classes for the images of a dataset: sources, coordinate formats, and one validated table."""
