"""Digital artefacts: JPEG compression and pixelation, both with Pillow."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from wsstool.corruptions.levels import constants_of

#: Quality of the JPEG.
JPEG = (25, 18, 15, 10, 7)
#: Side of the shrunken image, as a fraction.
PIXELATE = (0.6, 0.5, 0.4, 0.3, 0.25)


def jpeg_compression(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Compress to a JPEG of low quality and read it back.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    quality = constants_of(image, severity, JPEG)
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file, formats=["JPEG"]))


def pixelate(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Shrink with a box filter and enlarge again without interpolation.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    share = constants_of(image, severity, PIXELATE)
    height, width = image.shape[:2]
    small = (max(1, int(width * share)), max(1, int(height * share)))
    shrunken = Image.fromarray(image).resize(small, Image.Resampling.BOX)
    return np.array(shrunken.resize((width, height), Image.Resampling.NEAREST))
