"""Decode the values of a mask file as they were written, undoing what image decoders do for the eye."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool.data.images import explained, opened
from wsstool.data.pictures.picture import TIFF_SUFFIXES, picture_size
from wsstool.errors import BadInputError, WsstoolError
from wsstool.image_size import MAX_PIXELS
from wsstool.types import IGNORE

_BAND = 1024  #: rows of a large mask that are decoded at a time

_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
_GREY = ("P", "L", "1", "I", "I;16", "I;16B")


def mask_pixels(path: Path) -> np.ndarray:
    """Decode a mask: palette indices and grey samples as they are stored, other images as RGB.

    Grey samples of 2 and 4 bits are not stretched to 0..255, and TIFF files in which zero is white are not
    inverted. A channel of opacity is read as the mask if the colours show nothing.

    A grey TIFF of any size is read, if its samples have eight bits.

    Returns:
        (H, W) integer ids, or (H, W, 3) uint8 colours.

    Raises:
        MissingInputError: no such file.
        BadInputError: damaged, an id above 255 or below 0, or colours whose opacity hides some of them.
    """
    large = _large_tiff(path)
    if large is not None:
        return large
    with explained(path), opened(path) as image:
        raw = _raw_mode(image)
        if image.mode in _ALPHA:
            return _without_alpha(path, np.asarray(image.convert("RGBA")))
        samples = np.asarray(image if image.mode in _GREY else image.convert("RGB"))
    if samples.ndim == 3:
        return samples
    ids = _as_written(samples, raw)
    if ids.size and (ids.min() < 0 or ids.max() > IGNORE):
        raise BadInputError(f"mask {str(path)!r} contains {int(ids.max())}, but class ids end at {IGNORE}")
    return ids


def present_values(ids: np.ndarray) -> list[int]:
    """Return the values of (H, W) uint8 ids, ascending, without memory for a copy."""
    counts = np.zeros(256, np.int64)
    for row in range(0, len(ids), step := max(1, (1 << 22) // max(1, ids.shape[1]))):
        counts += np.bincount(ids[row : row + step].reshape(-1), minlength=256)
    return np.flatnonzero(counts).tolist()


def _large_tiff(path: Path) -> np.ndarray | None:
    """(H, W) uint8 samples of a TIFF that is too large to be decoded at once; None: it is not, or no TIFF."""
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return None
    try:
        rows, columns = picture_size(path)
    except WsstoolError:
        return None  # the decoder says what is wrong
    if rows * columns <= MAX_PIXELS:
        return None
    from wsstool.data.pictures.tiff import TiffPicture

    with explained(path), closing(TiffPicture(path)) as picture:
        first = picture.samples(0, 0, 1, 1)
        if first.shape[2] != 1 or first.dtype != np.uint8:
            raise BadInputError(
                f"mask {str(path)!r} has more than {MAX_PIXELS:,} pixels, which are read only of grey masks "
                "with 8 bits a pixel"
            )
        ids = np.empty((rows, columns), np.uint8)
        for top in range(0, rows, _BAND):
            ids[top : top + _BAND] = picture.samples(top, 0, min(_BAND, rows - top), columns)[..., 0]
    return ids


def _raw_mode(image: Image.Image) -> str:
    """Return how the decoder reads the samples, such as ``L;4`` or ``1;I``."""
    tiles = getattr(image, "tile", ())
    arguments = tiles[0].args if tiles else ""
    raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return raw if isinstance(raw, str) else ""


def _as_written(samples: np.ndarray, raw: str) -> np.ndarray:
    """Undo inversion and stretching of grey samples; ``raw``: see ``_raw_mode``."""
    mode, _, how = raw.partition(";")
    ids = samples.astype(np.int64)
    if mode == "1":
        return 1 - ids if "I" in how else ids
    if mode != "L":
        return ids
    ids = IGNORE - ids if "I" in how else ids
    bits = 2 if "2" in how else 4 if "4" in how else 8
    return ids // (IGNORE // ((1 << bits) - 1))


def _without_alpha(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Return the colours of (H, W, 4) pixels, or their opacity as ids where the colours show nothing."""
    colours, alpha = pixels[..., :3], pixels[..., 3]
    if not alpha.size or (alpha == alpha.flat[0]).all():
        return colours if not alpha.size or alpha.flat[0] else alpha.astype(np.int64)
    shown, hidden = colours[alpha > 0], colours[alpha == 0]
    if (shown == shown[0]).all():
        return alpha.astype(np.int64)
    if hidden.any() or len(np.unique(alpha[alpha > 0])) > 1:
        raise BadInputError(
            f"mask {str(path)!r} has both colours and opacity, so what it means is unclear; write it without "
            "a channel of opacity"
        )
    return colours
