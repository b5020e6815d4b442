"""Elastic deformation: a smooth random displacement that moves objects, and masks along with them."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from wsstool.corruptions.levels import constants_of, to_levels
from wsstool.errors import BadInputError

#: Factor of the smoothed draws.
ELASTIC = (12.5, 16.25, 21.25, 25.0, 30.0)
DRAWN = 0.005  #: half the range of the draws, as a fraction of the height
SMOOTH = 0.01  #: standard deviation of the smoothing, as a fraction of each side


def elastic_transform(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Move each pixel along a smooth random field.

    Objects move by a few pixels, so masks of the clean image do not fit the result. To score masks, draw the
    ``displacement`` from a generator with the same seed and apply ``warp_mask``.

    Uses two uniform draws per pixel.

    Notes:
        The benchmark for images of 224 pixels applies an affine transform first. This is the later variant
        for images of any size, without one.

    Source:
        Simard et al., ICDAR 2003; Hendrycks and Dietterich, ICLR 2019, in the variant of Michaelis et al.,
        2019. Written from the papers and a list of their constants.
    """
    return to_levels(warp(image, displacement(image, severity, generator)))


def displacement(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the displacement field of ``elastic_transform``.

    Args:
        image: (H, W, 3) uint8; only its size is used.
        severity: 1 to 5.
        generator: the same state gives the same field.
    Returns:
        (2, H, W) float32: offsets in rows, then in columns, from a pixel to its source, in pixels.

    Raises:
        BadInputError: not an RGB image.
        UsageError: an unknown severity.
    """
    factor = constants_of(image, severity, ELASTIC)
    height, width = image.shape[:2]
    reach = DRAWN * height
    field = np.empty((2, height, width), np.float32)
    for axis in (1, 0):  # columns are drawn first
        drawn = generator.uniform(-reach, reach, (height, width))
        sigmas = (SMOOTH * height, SMOOTH * width)
        field[axis] = factor * ndimage.gaussian_filter(drawn, sigmas, mode="reflect", truncate=3)
    return field


def warp(image: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Warp an image by a displacement field, with linear interpolation; borders are mirrored.

    Args:
        image: (H, W, C).
        field: (2, H, W), see ``displacement``.
    Returns:
        (H, W, C) float32.

    Raises:
        BadInputError: the two differ in size.
    """
    rows, columns = _positions(image, field)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    height, width = image.shape[:2]
    upper, lower = (_mirrored(top + k, height) * width for k in (0, 1))
    near, far = (_mirrored(left + k, width) for k in (0, 1))
    pixels = image.reshape(height * width, -1).astype(np.float32)

    def along_row(row: np.ndarray) -> np.ndarray:
        first = pixels.take(row + near, 0)
        return first + right * (pixels.take(row + far, 0) - first)

    above = along_row(upper)
    return above + down * (along_row(lower) - above)


def warp_mask(mask: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Warp a label map by a displacement field, with the nearest label.

    Args:
        mask: (H, W), any dtype.
        field: (2, H, W), see ``displacement``.
    Returns:
        (H, W) of the same dtype, with labels of ``mask`` only.

    Raises:
        BadInputError: the two differ in size.

    Example:
        >>> field = np.zeros((2, 1, 3), np.float32)
        >>> field[1] = 1
        >>> warp_mask(np.uint8([[1, 2, 3]]), field).tolist()
        [[2, 3, 3]]
    """
    rows, columns = (np.rint(one).astype(int) for one in _positions(mask, field))
    return mask[_mirrored(rows, mask.shape[0]), _mirrored(columns, mask.shape[1])]


def enlarged(field: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resample a displacement to an image of another size, with distances in pixels of that image.

    Args:
        field: (2, h, w), see ``displacement``.
        size: rows and columns.
    Returns:
        (2, rows, columns) float32; ``field`` itself if it has this size.

    Example:
        >>> enlarged(np.ones((2, 1, 1), np.float32), (2, 3)).tolist()
        [[[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]], [[3.0, 3.0, 3.0], [3.0, 3.0, 3.0]]]
    """
    if field.shape[1:] == tuple(size):
        return field
    rows, columns = size
    resized = [
        np.asarray(Image.fromarray(one).resize((columns, rows), Image.Resampling.BILINEAR)) for one in field
    ]
    factors = (rows / field.shape[1], columns / field.shape[2])
    return np.stack([one * np.float32(factor) for one, factor in zip(resized, factors, strict=True)])


def _positions(image: np.ndarray, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = image.shape[:2]
    if field.shape != (2, height, width):
        raise BadInputError(
            f"a displacement field of shape {field.shape[1:]} does not fit an image of {height, width}"
        )
    return field[0] + np.arange(height, dtype=np.float32)[:, None], field[1] + np.arange(
        width, dtype=np.float32
    )


def _mirrored(index: np.ndarray, size: int) -> np.ndarray:
    """Reflect indices outside [0, size) at the repeated edge: -1 becomes 0, size becomes size - 1."""
    index = np.where(index < 0, -1 - index, index) % (2 * size)
    return np.minimum(index, 2 * size - 1 - index)
