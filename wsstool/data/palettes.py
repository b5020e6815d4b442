"""Colours for class ids: the usual palettes of the field, and a colour-blind-safe one."""

from __future__ import annotations

import numpy as np

from wsstool.errors import UsageError
from wsstool.types import ClassList

Colour = tuple[int, int, int]

CITYSCAPES: tuple[Colour, ...] = (
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
    (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60),
    (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
)  # fmt: skip
LUAD: tuple[Colour, ...] = ((205, 51, 51), (0, 255, 0), (65, 105, 225), (255, 165, 0), (255, 255, 255))
BCSS: tuple[Colour, ...] = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (153, 0, 255), (255, 255, 255))
OKABE_ITO: tuple[Colour, ...] = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167),
)  # fmt: skip
"""Colours that are distinguishable with every common kind of colour blindness (Okabe and Ito, 2008)."""


def voc_palette(n: int = 256) -> np.ndarray:
    """Return the colours of PASCAL VOC masks: bit 3j+c of the class id is bit 7-j of colour channel c.

    Args:
        n: number of classes, 0..256.

    Returns:
        (n, 3) uint8. Row 255 is the light beige (224, 224, 192) of the ignored outlines.

    Example:
        >>> voc_palette(3).tolist()
        [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    """
    ids = np.arange(n)
    colours = np.zeros((n, 3), np.uint8)
    for j in range(8):
        for channel in range(3):
            colours[:, channel] |= (((ids >> (3 * j + channel)) & 1) << (7 - j)).astype(np.uint8)
    return colours


NAMES = ("voc", "cityscapes", "luad", "bcss", "okabe-ito")
_FIXED = {"cityscapes": CITYSCAPES, "luad": LUAD, "bcss": BCSS, "okabe-ito": OKABE_ITO}


def named_palette(name: str) -> np.ndarray:
    """Return a palette by name, (256, 3) uint8; ids beyond a fixed table have their VOC colour.

    Raises:
        UsageError: no palette of that name.
    """
    if name != "voc" and name not in _FIXED:
        raise UsageError(f"no palette '{name}'; there are: {', '.join(NAMES)}")
    return _filled(_FIXED.get(name, ()))


def class_palette(classes: ClassList | None = None) -> np.ndarray:
    """Return the colours of a class list, (256, 3) uint8; VOC colours if it has none, and for 255.

    VOC's black is for the background: in a list without one, or where it is not class 0, the classes have the
    colours from the second on, so that none of them is black.
    """
    palette = _filled(classes.palette if classes is not None else ())
    if classes is not None and not classes.palette and classes.background != 0:
        palette[list(classes.foreground)] = voc_palette()[1 : len(classes.foreground) + 1]
        if classes.background > 0:
            palette[classes.background] = 0
    return palette


def _filled(colours: tuple[Colour, ...]) -> np.ndarray:
    palette = voc_palette()
    if colours:
        palette[: len(colours)] = colours
    return palette
