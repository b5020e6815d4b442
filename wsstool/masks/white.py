"""Background that the picture itself shows: the glass of a slide, where there is no tissue."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from wsstool.errors import BadInputError, UsageError


def grey(image: np.ndarray) -> np.ndarray:
    """Luma of Rec. 601 in integers: (9798 R + 19235 G + 3735 B + 2^14) / 2^15, rounded down.

    Args:
        image: (H, W, 3) uint8 RGB.
    Returns:
        (H, W) int32 in [0, 255].

    Raises:
        BadInputError: not an RGB image.

    Notes:
        What OpenCV makes of RGB, to the last bit. scikit-image's grey has the weights of Rec. 709 and
        differs in many pixels.

    Example:
        >>> import numpy as np
        >>> grey(np.uint8([[[255, 255, 255], [200, 200, 200], [255, 0, 0]]])).tolist()
        [[255, 200, 76]]
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise BadInputError(f"white is looked for in an (H, W, 3) uint8 RGB image, not {image.shape}")
    red, green, blue = np.moveaxis(image.astype(np.int32), 2, 0)
    return (9798 * red + 19235 * green + 3735 * blue + 16384) >> 15


def white(image: np.ndarray, *, white_above: int = 200, white_smallest: int = 50) -> np.ndarray:
    """White pixels, small specks left out.

    Args:
        image: (H, W, 3) uint8 RGB.
        white_above: a pixel is white when its grey value is above this; 255 finds none, -1 all.
        white_smallest: pixels that a 4-connected region needs to count; 0 and 1 keep all.
    Returns:
        (H, W) bool.

    Raises:
        BadInputError: not an RGB image.
        UsageError: a grey value or a number of pixels that there cannot be.

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
        raise UsageError(f"white_above={white_above}: a grey value, -1 (all is white) to 255 (nothing is)")
    if white_smallest < 0:
        raise UsageError(f"white_smallest={white_smallest}: pixels, 0 or more")
    regions, count = ndimage.label(grey(image) > white_above)  # 4-connected by default
    is_large = np.bincount(regions.ravel(), minlength=count + 1) >= white_smallest
    is_large[0] = False  # number 0 is what is not white
    return is_large[regions]
