"""Background visible in the image itself: the bare glass of a slide."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from wsstool.errors import BadInputError, UsageError


def grey(image: np.ndarray) -> np.ndarray:
    """Convert to grey: Rec. 601 luma in integers, (9798 R + 19235 G + 3735 B + 2^14) / 2^15, rounded down.

    Args:
        image: (H, W, 3) uint8 RGB.
    Returns:
        (H, W) int32 in [0, 255].

    Raises:
        BadInputError: not an RGB image.

    Notes:
        Equal to OpenCV's conversion to the last bit. scikit-image's grey uses the weights of Rec. 709 and
        differs in many pixels.

    Example:
        >>> import numpy as np
        >>> grey(np.uint8([[[255, 255, 255], [200, 200, 200], [255, 0, 0]]])).tolist()
        [[255, 200, 76]]
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise BadInputError(f"white background needs an (H, W, 3) uint8 RGB image, not {image.shape}")
    red, green, blue = np.moveaxis(image.astype(np.int32), 2, 0)
    return (9798 * red + 19235 * green + 3735 * blue + 16384) >> 15


def white(image: np.ndarray, *, white_above: int = 200, white_smallest: int = 50) -> np.ndarray:
    """Find white pixels, without small specks.

    Args:
        image: (H, W, 3) uint8 RGB.
        white_above: a pixel is white if its grey value is above this; 255 finds none, -1 all.
        white_smallest: minimum area of a 4-connected white region, pixels; 0 and 1 keep all.
    Returns:
        (H, W) bool.

    Raises:
        BadInputError: not an RGB image.
        UsageError: an impossible grey value or number of pixels.

    Source:
        Han et al., MedIA 2022 (white background of LUAD-HistoSeg). Written from the paper and from a list
        of facts on the behaviour of its program.

    Example:
        >>> import numpy as np
        >>> image = np.full((10, 10, 3), 200, np.uint8)
        >>> image[:5] = 201
        >>> int(white(image).sum()), int(white(image, white_smallest=51).sum())
        (50, 0)
    """
    if not -1 <= white_above <= 255:
        raise UsageError(
            f"white_above={white_above}: give a grey value, -1 (all is white) to 255 (nothing is)"
        )
    if white_smallest < 0:
        raise UsageError(f"white_smallest={white_smallest}: give a number of pixels, 0 or more")
    regions, count = ndimage.label(grey(image) > white_above)  # 4-connected by default
    is_large = np.bincount(regions.ravel(), minlength=count + 1) >= white_smallest
    is_large[0] = False  # region 0 is everything that is not white
    return is_large[regions]
