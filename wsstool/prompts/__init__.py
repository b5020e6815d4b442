"""Prompts for segmenters that outline what a box, points or a rough mask show."""
