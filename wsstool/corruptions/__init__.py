"""Corruptions of images, to measure robustness: ``f(image, severity, generator, **own) -> image``.

Input and output images are (H, W, 3) uint8 of any size; severities are 1 to 5. ``named`` applies corruptions
by name and defines groups and seeds; ``levels`` holds the common parts; ``elastic`` also warps masks.
"""

from wsstool.corruptions.named import (
    GROUPS,
    MOVES_OBJECTS,
    VALIDATION,
    corrupt,
    generator_of,
    moved,
    one_of,
    selected,
)

__all__ = ["GROUPS", "MOVES_OBJECTS", "VALIDATION", "corrupt", "generator_of", "moved", "one_of", "selected"]
