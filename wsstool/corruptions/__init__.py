"""Corruptions of images, to measure robustness: ``f(image, severity, generator, **own) -> image``.

Images are (H, W, 3) uint8 of any size, on both sides; severities are 1 to 5. ``named`` has groups, seeds and
one call for all; ``levels`` what all share; ``elastic`` also warps masks.
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
