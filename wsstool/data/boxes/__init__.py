"""Boxes with classes for the images of a data set: sources, number forms, and one checked table."""
