"""Frost: a photograph of ice blended with the image, or a synthetic texture under its own name."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from wsstool.corruptions.fog import plasma
from wsstool.corruptions.levels import constants_of, to_levels
from wsstool.errors import BadInputError, MissingInputError

#: Weight of the image, weight of the ice.
FROST = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


def frost(
    image: np.ndarray, severity: int, generator: np.random.Generator, *, textures: str = ""
) -> np.ndarray:
    """Blend the image with a random crop of a photograph of frost.

    Args:
        image: (H, W, 3) uint8.
        severity: 1 to 5.
        generator: draws the photograph and the crop.
        textures: folder of photographs; empty: those of the installed package ``imagecorruptions-imaug``.
            A photograph smaller than the image is enlarged to cover it.
    Returns:
        (H, W, 3) uint8.

    Raises:
        BadInputError: not an RGB image, or a photograph that cannot be read.
        MissingInputError: no such folder, no photograph in it, or the package is not installed.
        UsageError: an unknown severity.

    Notes:
        The photographs of the benchmark are not part of wsstool. With other photographs, results are not
        comparable with published ones.

    Source:
        Hendrycks and Dietterich, ICLR 2019. Written from the paper and a list of its constants.
    """
    clear, icy = constants_of(image, severity, FROST)
    photos = photographs(textures)
    photo = _read(photos[generator.integers(len(photos))], image.shape[:2])
    top, left = (
        int(generator.integers(p - n + 1)) for p, n in zip(photo.shape, image.shape[:2], strict=False)
    )
    ice = photo[top : top + image.shape[0], left : left + image.shape[1]]
    return to_levels(image * np.float32(clear) + ice * np.float32(icy))


def frost_synthetic(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Blend the image with synthetic ice, bluish ridges of plasma noise; not the frost of the benchmark.

    Args:
        image: (H, W, 3) uint8.
        severity: 1 to 5, with the weights of ``frost``.
        generator: the draws of the plasma.
    Returns:
        (H, W, 3) uint8.

    Raises:
        BadInputError: not an RGB image.
        UsageError: an unknown severity.

    Source:
        The mixture of Hendrycks and Dietterich, ICLR 2019, with a generated texture.
    """
    clear, icy = constants_of(image, severity, FROST)
    ridges = 1 - np.abs(2 * plasma(image.shape[:2], 1.6, generator) - 1)
    ice = (70 + 185 * ridges**2)[..., None] * np.array([0.86, 0.95, 1.0], np.float32)
    return to_levels(image * np.float32(clear) + ice * np.float32(icy))


def photographs(textures: str = "") -> tuple[Path, ...]:
    """List the photographs of frost in a folder, or those of the optional package.

    Raises:
        MissingInputError: there are none.
    """
    if textures:
        return _images_of(Path(textures))
    package = find_spec("imagecorruptions")  # its files only: importing it compiles for seconds
    if package is None or package.origin is None:
        raise MissingInputError(
            "frost needs photographs, which are not part of wsstool; run pip install "
            "'wsstool[corruptions]', name a folder of photographs (--frost FOLDER), or use frost-synthetic"
        )
    return _images_of(Path(package.origin).parent / "frost")


def _images_of(folder: Path) -> tuple[Path, ...]:
    found = tuple(sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES))
    if not found:
        raise MissingInputError(f"there are no photographs of frost in '{folder}'")
    return found


@lru_cache(maxsize=8)
def _read(path: Path, covers: tuple[int, int]) -> np.ndarray:
    """Return a photograph, (h, w, 3) uint8, at least as high and wide as requested."""
    try:
        with Image.open(path) as file:
            photo = file.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise BadInputError(f"cannot read the photograph of frost '{path}': {error}") from error
    scale = max(1.0, covers[0] / photo.height, covers[1] / photo.width)
    if scale > 1:
        size = (max(covers[1], round(photo.width * scale)), max(covers[0], round(photo.height * scale)))
        photo = photo.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(photo)
