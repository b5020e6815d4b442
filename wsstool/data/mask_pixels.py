"""Decode the values of a mask file as they were written, undoing what image decoders do for the eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from wsstool.data.images import explained, opened
from wsstool.errors import BadInputError
from wsstool.types import IGNORE

_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
_GREY = ("P", "L", "1", "I", "I;16", "I;16B")


def mask_pixels(path: Path) -> np.ndarray:
    """Decode a mask: palette indices and grey samples as they are stored, other images as RGB.

    Grey samples of 2 and 4 bits are not stretched to 0..255, and TIFF files in which zero is white are not
    inverted. A channel of opacity is read as the mask if the colours show nothing.

    Returns:
        (H, W) int64 ids, or (H, W, 3) uint8 colours.

    Raises:
        MissingInputError: no such file.
        BadInputError: damaged, an id above 255 or below 0, or colours whose opacity hides some of them.
    """
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
