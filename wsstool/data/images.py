"""Read images from disk: anything that Pillow or tifffile opens, as upright 8-bit RGB."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool.errors import BadInputError, MissingInputError
from wsstool.image_size import MAX_PIXELS
from wsstool.memory import TooLargeError

SUFFIXES = frozenset(
    f".{s}"
    for s in (
        "jpg",
        "jpeg",
        "jpe",
        "png",
        "bmp",
        "gif",
        "tif",
        "tiff",
        "webp",
        "jp2",
        "tga",
        "ppm",
        "pgm",
        "pnm",
        "svs",
        "ndpi",
        "scn",
        "mrxs",
        "bif",
    )
)
"""File name suffixes of images, lower case."""

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the first page of an image file, rotated according to its EXIF orientation.

    Args:
        path: a file of any format that Pillow or tifffile opens.

    Returns:
        (H, W, 3) uint8 RGB. Grey is repeated in three channels; 16-bit samples are divided by 257, so that
        the full range maps to 0..255 and images stay comparable (no per-image stretching); float samples are
        read as 0..1 if none is larger, else as 0..255; transparent pixels are blended with white.

    Raises:
        MissingInputError: no such file, or no permission to read it.
        BadInputError: not an image, damaged, truncated, or larger than ``MAX_PIXELS``; the file is named.
    """
    path = Path(path)
    with explained(path):
        try:
            with opened(path) as image:
                if _is_deep_tiff(image):
                    return _read_tiff(path)
                turn = _UPRIGHT.get(_orientation(image))
                image.load()
                rgb = _rgb(image)
                # Pillow rotates a TIFF by itself when it loads the pixels.
                if turn is not None and image.format != "TIFF":
                    rgb = rgb.transpose(turn)
                return np.array(rgb, dtype=np.uint8)
        except Image.DecompressionBombError:
            raise
        except (OSError, ValueError, KeyError) as error:
            if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
                raise
            if path.suffix.lower() not in (".tif", ".tiff"):
                raise
            return _read_tiff(path)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the rows and columns of the result of ``read_image``, from the header alone.

    Raises:
        MissingInputError: no such file, or no permission to read it.
        BadInputError: the header cannot be read, or it claims more than ``MAX_PIXELS``.
    """
    path = Path(path)
    with explained(path):
        try:
            with opened(path) as image:
                columns, rows = image.size
                # Pillow states the size of a TIFF after rotation.
                turned = image.format != "TIFF" and _orientation(image) >= 5
                return (columns, rows) if turned else (rows, columns)
        except Image.UnidentifiedImageError:
            if path.suffix.lower() not in (".tif", ".tiff"):
                raise
            return _tiff_size(path)


def turned_by_exif(path: str | os.PathLike[str]) -> bool:
    """Whether the upright image has the sides of the stored pixels exchanged.

    Raises:
        MissingInputError, BadInputError: see ``image_size``.
    """
    path = Path(path)
    with explained(path), opened(path) as image:
        return _orientation(image) >= 5


def turning(path: str | os.PathLike[str], stated: tuple[int, int], real: tuple[int, int]) -> str:
    """Return a clause about the EXIF orientation if that is why two sizes differ, else an empty text.

    Args:
        path: the image.
        stated: rows and columns of something that belongs to it.
        real: rows and columns of the upright image.
    """
    if tuple(stated) != tuple(real)[::-1] or not turned_by_exif(path):
        return ""
    return " when it is turned upright as its EXIF orientation says"


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Convert exceptions of the decoders into one sentence with the name of the file."""
    try:
        yield
    except FileNotFoundError:
        raise MissingInputError(f"there is no image {str(path)!r}") from None
    except PermissionError:
        raise MissingInputError(f"image {str(path)!r} cannot be read: permission denied") from None
    except Image.DecompressionBombError:
        raise BadInputError(f"image {str(path)!r} has more than {MAX_PIXELS:,} pixels") from None
    except (BadInputError, MissingInputError):
        raise
    except MemoryError:
        raise TooLargeError(f"image {str(path)!r} does not fit into memory; reduce or cut it") from None
    except Image.UnidentifiedImageError:
        raise BadInputError(f"{str(path)!r} is not an image in a supported format") from None
    except Exception as error:  # decoders of damaged files raise almost anything
        raise BadInputError(f"image {str(path)!r} is damaged or truncated ({error})") from None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns from half the limit on, and about damaged EXIF
        if path.exists() and not path.is_file():  # a FIFO would be waited for for ever
            raise BadInputError(f"image {str(path)!r} is not a regular file")
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            yield image


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1..8; for a PNG only if stored before the pixels, to avoid decoding."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
        return 1
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the pixels are usable despite a damaged EXIF block
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _is_deep_tiff(image: Image.Image) -> bool:
    """Whether colour samples have more than eight bits, which Pillow truncates or mixes up."""
    tags = getattr(image, "tag_v2", {})
    return len(bits := tuple(tags.get(258, ()))) > 1 and max(bits) > 8


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        paper = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(paper, coloured).convert("RGB")
    return image.convert("RGB")


def eight_bits(samples: np.ndarray, is_unit: bool | None = None) -> np.ndarray:
    """Convert samples of any type to 0..255, by the range of the type and not of the image.

    Args:
        samples: of any shape.
        is_unit: of float samples: whether 1 is white, else 255; None: 1, if no sample is above it.

    Returns:
        uint8 of the same shape.
    """
    if samples.dtype == bool:
        return samples.astype(np.uint8) * 255
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype.kind == "f":
        samples = np.nan_to_num(samples)
        is_unit = bool(samples.size and samples.max() <= 1) if is_unit is None else is_unit
        scale = 255.0 if is_unit else 1.0
        return np.clip(samples * scale + 0.5, 0, 255).astype(np.uint8)
    # Pillow sometimes stores 16-bit samples as 32-bit integers.
    return ((np.clip(samples, 0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)


def _tiff_size(path: Path) -> tuple[int, int]:
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        rows, columns = page.imagelength, page.imagewidth
        return (columns, rows) if _tiff_orientation(page) >= 5 else (rows, columns)


def _tiff_orientation(page: object) -> int:
    tag = page.tags.get(274)  # type: ignore[attr-defined]
    return int(tag.value) if tag is not None and 1 <= int(tag.value) <= 8 else 1


def _read_tiff(path: Path) -> np.ndarray:
    """Read TIFF files that Pillow rejects: 16-bit colour, separate planes, many channels, YCbCr."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        if page.imagelength * page.imagewidth > MAX_PIXELS:
            raise Image.DecompressionBombError
        samples = np.squeeze(page.asarray())
        if samples.ndim == 3 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
            samples = np.moveaxis(samples, 0, -1)
        if samples.ndim == 2:
            samples = samples[..., None]
        if samples.ndim != 3:
            raise BadInputError(
                f"image {str(path)!r} has {samples.ndim} dimensions instead of rows, columns and colours"
            )
        pixels = eight_bits(samples)
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            pixels = 255 - pixels
        colour = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
        upright = Image.fromarray(np.ascontiguousarray(colour))
        jpeg = (tifffile.COMPRESSION.JPEG, tifffile.COMPRESSION.OJPEG)  # decoded to RGB
        if page.photometric == tifffile.PHOTOMETRIC.YCBCR and page.compression not in jpeg:
            upright = Image.frombytes("YCbCr", upright.size, upright.tobytes()).convert("RGB")
        turn = _UPRIGHT.get(_tiff_orientation(page))
        return np.array(upright if turn is None else upright.transpose(turn), dtype=np.uint8)
