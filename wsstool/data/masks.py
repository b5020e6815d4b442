"""Label maps on disk: read palette, grey or colour images, write palette PNGs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool.atomic import atomic_file
from wsstool.data.mask_pixels import mask_pixels, present_values
from wsstool.data.palettes import class_palette
from wsstool.errors import BadInputError, WsstoolError
from wsstool.types import IGNORE, SILENT, ClassList, Messages


def read_mask(
    path: str | os.PathLike[str],
    classes: ClassList | None = None,
    *,
    void: Iterable[int] = (),
    white: int = IGNORE,
) -> np.ndarray:
    """Read a label map in any of the usual encodings.

    Palette images and grey images contain class ids, see ``mask_pixels``. Colours are looked up in the
    palette of the class list; without one, colour images are read only if they are grey throughout (as ids).

    Args:
        path: PNG, or another lossless format.
        classes: the classes that may occur; None accepts every id.
        void: ids that are read as 255, for datasets with their own ignore value.
        white: what 255 is read as, see ``meaning_of_white``.

    Returns:
        (H, W) uint8 class ids; 255 is ignore.

    Raises:
        MissingInputError: no such file.
        BadInputError: damaged, or an id or colour that the class list lacks.
    """
    path = Path(path)
    ids = _ids(path, classes)
    if white != IGNORE:
        ids = np.where(ids == IGNORE, np.uint8(white), ids)
    void = list(void)
    if void:
        ids = np.where(np.isin(ids, void), np.uint8(IGNORE), ids)
    if classes is not None and len(classes):
        unknown = [v for v in present_values(ids) if len(classes) <= v != IGNORE]
        if unknown:
            hint = "; it looks like a grey image, or a mask with blurred edges" if len(unknown) > 16 else ""
            raise BadInputError(
                f"mask {str(path)!r} contains class {', '.join(map(str, unknown[:5]))}, but the class list "
                f"ends at {len(classes) - 1} ({classes.names[-1]}){hint}"
            )
    return np.ascontiguousarray(ids)


def meaning_of_white(paths: Iterable[Path], classes: ClassList, messages: Messages = SILENT) -> int:
    """Return what 255 means in a set of masks: "ignore", or the object of black and white masks.

    Masks that hold nothing but 0 and 255 are black and white: with a background and one other class, 255 is
    that class; with other classes it stays "ignore", and a warning is printed.

    Args:
        paths: the masks; read until one of them holds another value.
        classes: their class list.
        messages: receives what 255 is read as.

    Returns:
        255, or the id of the only class besides the background.
    """
    seen: set[int] = set()
    count = 0
    for path in paths:
        try:
            ids = _ids(path, classes)
        except WsstoolError:
            continue  # whoever needs this mask reports it
        seen |= set(present_values(ids))
        count += 1
        if seen - {0, IGNORE}:
            return IGNORE
    if seen != {0, IGNORE} or not len(classes):
        return IGNORE
    what = f"the {count} masks hold" if count > 1 else "the mask holds"
    if classes.background == 0 and len(classes) == 2:
        messages.say(f"{what} only 0 and 255, so 255 is read as '{classes.names[1]}'")
        return 1
    messages.warn(
        f"{what} only 0 ('{classes.names[0]}') and 255, which is read as 'ignore'; if they are black and "
        "white, name a class list of a background and one class with --class-list"
    )
    return IGNORE


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


def _ids(path: Path, classes: ClassList | None) -> np.ndarray:
    """Return the (H, W) uint8 ids of a mask as they are written."""
    samples = mask_pixels(path)
    return (
        _ids_of_colours(path, samples, classes) if samples.ndim == 3 else samples.astype(np.uint8, copy=False)
    )


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
