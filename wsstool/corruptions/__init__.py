"""Corruptions of images, to measure robustness: ``f(image, severity, generator, **own) -> image``.

Input and output images are (H, W, 3) uint8 of any size, and severities are 1 to 5. All randomness comes from
``generator``, which deterministic corruptions ignore. Each raises BadInputError if the image is not RGB, and
UsageError for an unknown severity.

``named`` applies corruptions by name and defines groups and seeds; ``levels`` holds the common parts;
``elastic`` also warps masks.
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
