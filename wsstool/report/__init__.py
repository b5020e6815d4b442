"""Overlays, curves and the HTML report."""
