"""Class lists of published datasets that contain none, by name.

Both tissue datasets have four tissues and, last, index 4 of their masks: white background, or excluded. It is
the background of the list. No tag names it, and ground-truth masks have it at ignored pixels.
"""

from __future__ import annotations

from wsstool.data.palettes import BCSS, LUAD
from wsstool.types import ClassList

LUAD_CLASSES = ClassList(("TE", "NEC", "LYM", "TAS", "background"), 4, LUAD)
"""LUAD-HistoSeg: tumour epithelium, necrosis, lymphocytes, tumour-associated stroma."""

BCSS_CLASSES = ClassList(("TUM", "STR", "LYM", "NEC", "background"), 4, BCSS)
"""BCSS-WSSS: tumour, stroma, lymphocytic infiltrate, necrosis."""

KNOWN = {"luad": LUAD_CLASSES, "bcss": BCSS_CLASSES}


def void_ids(classes: ClassList | None) -> tuple[int, ...]:
    """Return the ids that mean "ignore" in the ground-truth masks of a known dataset.

    Example:
        >>> void_ids(LUAD_CLASSES), void_ids(ClassList(("stroma", "gland")))
        ((4,), ())
    """
    known = classes is not None and classes.names in [one.names for one in KNOWN.values()]
    return (classes.background,) if classes is not None and known else ()
