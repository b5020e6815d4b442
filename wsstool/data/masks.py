"""Label maps on disk: read palette, grey or colour images, write palette PNGs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool.atomic import atomic_file
from wsstool.data.images import explained, opened
from wsstool.data.palettes import class_palette
from wsstool.errors import BadInputError
from wsstool.types import IGNORE, ClassList


def read_mask(
    path: str | os.PathLike[str], classes: ClassList | None = None, *, void: Iterable[int] = ()
) -> np.ndarray:
    """Read a label map in any of the usual encodings.

    Palette images and grey images contain class ids. Colours are looked up in the palette of the class list;
    without one, colour images are read only if they are grey throughout (as ids).

    Args:
        path: PNG, or another lossless format.
        classes: the classes that may occur; None accepts every id.
        void: ids that are read as 255, for datasets with their own ignore value.

    Returns:
        (H, W) uint8 class ids; 255 is ignore.

    Raises:
        MissingInputError: no such file.
        BadInputError: damaged, or an id or colour that the class list lacks.
    """
    path = Path(path)
    with explained(path), opened(path) as image:
        mode = image.mode
        samples = np.asarray(
            image.convert("RGB") if mode not in ("P", "L", "1", "I", "I;16", "I;16B") else image
        )
    if samples.ndim == 3:
        ids = _ids_of_colours(path, samples, classes)
    else:
        ids = samples.astype(np.int64)
        if ids.size and (ids.min() < 0 or ids.max() > IGNORE):
            raise BadInputError(
                f"mask {str(path)!r} contains {int(ids.max())}, but class ids end at {IGNORE}"
            )
        ids = ids.astype(np.uint8)
    void = list(void)
    if void:
        ids = np.where(np.isin(ids, void), np.uint8(IGNORE), ids)
    if classes is not None and len(classes):
        unknown = [
            int(v)
            for v in np.flatnonzero(np.bincount(ids.ravel(), minlength=256))
            if len(classes) <= v != IGNORE
        ]
        if unknown:
            raise BadInputError(
                f"mask {str(path)!r} contains class {', '.join(map(str, unknown[:5]))}, but the class list "
                f"ends at {len(classes) - 1} ({classes.names[-1]})"
            )
    return np.ascontiguousarray(ids)


def write_mask(path: str | os.PathLike[str], mask: np.ndarray, classes: ClassList | None = None) -> None:
    """Write a label map as a palette PNG, which shows its colours in any viewer; atomic.

    Args:
        path: the file; its folder must exist.
        mask: (H, W) uint8 class ids, 255 kept.
        classes: their palette is used; default: VOC colours.

    Raises:
        CannotWriteError: no such folder, no space, no permission.
        ValueError: the mask is not (H, W) uint8 with at least one pixel.
    """
    path = Path(path)
    if mask.dtype != np.uint8 or mask.ndim != 2 or not mask.size:
        raise ValueError(f"a mask must be (H, W) uint8 and not empty, not {mask.shape} {mask.dtype}")
    image = Image.fromarray(np.ascontiguousarray(mask)).convert("L")
    image.putpalette(class_palette(classes).tobytes())
    with atomic_file(path) as part:
        image.save(part, format="PNG", optimize=False)


def _ids_of_colours(path: Path, colours: np.ndarray, classes: ClassList | None) -> np.ndarray:
    """Return the class ids of an (H, W, 3) image by its colours; VOC's beige is 255 unless a class has it."""
    if classes is None or not classes.palette:
        if (colours == colours[..., :1]).all():
            return colours[..., 0]
        raise BadInputError(f"mask {str(path)!r} is a colour image, but the class list has no colours")
    weights = np.array([1 << 16, 1 << 8, 1], np.int64)
    table = {int(np.dot(c, weights)): IGNORE for c in class_palette()[IGNORE:].astype(np.int64)}
    table |= {int(np.dot(c, weights)): i for i, c in reversed(list(enumerate(classes.palette)))}
    packed, where = np.unique(colours.astype(np.int64) @ weights, return_inverse=True)
    for value in packed.tolist():
        if value not in table:
            rgb = (value >> 16, value >> 8 & 255, value & 255)
            raise BadInputError(
                f"mask {str(path)!r} contains the colour {rgb}, which is not in the class list"
            )
    ids = np.array([table[v] for v in packed.tolist()], np.uint8)
    return ids[where].reshape(colours.shape[:2])
