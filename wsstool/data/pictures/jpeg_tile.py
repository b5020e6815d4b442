"""Decode a JPEG tile of a TIFF file: its tables stand apart, and its colours may be stored unmixed."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

_START, _END = b"\xff\xd8", b"\xff\xd9"
_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
"""The marker by which a JPEG says that its colours are red, green and blue."""


def decode_jpeg(data: bytes, tables: bytes | None, *, is_rgb: bool) -> np.ndarray:
    """Decode one tile.

    Args:
        data: the tile, with or without tables of its own.
        tables: quantisation and Huffman tables of all tiles (TIFF tag 347), or None.
        is_rgb: the samples are red, green and blue; else luma and chroma, or grey.

    Returns:
        (H, W, S) uint8, S = 3 or 1.

    Raises:
        OSError: damaged or truncated.

    Source:
        TIFF Technical Note 2 (1995).
    """
    head = _START + (_RGB if is_rgb else b"")
    if tables:
        head += tables.removeprefix(_START).removesuffix(_END)
    with Image.open(io.BytesIO(head + data.removeprefix(_START))) as image:
        pixels = np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB"))
    return pixels[..., None] if pixels.ndim == 2 else pixels
