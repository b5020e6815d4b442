"""Shapes of objects: polygons, run lengths, and masks drawn from them."""
