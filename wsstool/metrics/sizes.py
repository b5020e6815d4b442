"""The sizes of objects by which COCO reports scores."""

from __future__ import annotations

import math

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, math.inf)}
"""Smallest area, and the area from which on an object belongs to the next size; pixels.

Average precision counts an object that lies exactly on a limit in both sizes, as COCO's own program does.
"""
