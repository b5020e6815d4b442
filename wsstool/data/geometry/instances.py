"""Objects with masks, as input of the export formats. Masks are compressed to save memory."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from wsstool.data.geometry.polygons import polygons
from wsstool.errors import UsageError
from wsstool.types import IGNORE, ClassList

Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class Instance:
    """One object of an image.

    Args:
        label: name of its class.
        box: xyxy in pixels.
        id: of the object in the annotation file.
        window: xyxy in pixels, the area covered by the mask.
        packed: the (h, w) uint8 mask of the window, compressed.
        score: quality of the mask, 0 to 1.
        sentence: that names the object; empty: none.
    """

    label: str
    box: tuple[float, float, float, float]
    id: int
    window: Window
    packed: bytes = field(repr=False)
    score: float = 1.0
    sentence: str = ""

    @classmethod
    def of(
        cls,
        label: str,
        mask: np.ndarray,
        box: Sequence[float],
        id: int,
        window: Sequence[int],
        score: float = 1,
        sentence: str = "",
    ) -> Instance:
        """Build an object from its (h, w) uint8 window mask: 1 object, 0 not, 255 uncertain."""
        x0, y0, x1, y1 = (_short(v) for v in box)
        left, top, right, bottom = (int(v) for v in window)
        packed = zlib.compress(np.asarray(mask, np.uint8).tobytes(), 1)
        return cls(
            label, (x0, y0, x1, y1), int(id), (left, top, right, bottom), packed, _short(score), sentence
        )

    def with_score(self, score: float) -> Instance:
        """Return the same object with another score."""
        return replace(self, score=_short(score))

    @property
    def pixels(self) -> np.ndarray:
        """The (h, w) uint8 window mask: 1 object, 0 not, 255 uncertain."""
        x0, y0, x1, y1 = self.window
        return np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(y1 - y0, x1 - x0)

    @property
    def mask(self) -> np.ndarray:
        """The (h, w) bool window mask; uncertain pixels do not belong to the object."""
        return self.pixels == 1

    def placed(self, size: tuple[int, int]) -> np.ndarray:
        """Return the (H, W) uint8 mask of the whole image."""
        whole = np.zeros(size, np.uint8)
        paste(self.pixels, self.window[:2], whole)
        return whole

    def polygons(self) -> list[np.ndarray]:
        """Return the parts as (V, 2) corners x, y in image pixels, without holes (see ``polygons``)."""
        return [part + np.array(self.window[:2]) for part in polygons(self.mask)]

    @property
    def is_empty(self) -> bool:
        """Whether the object has no pixels."""
        return not self.mask.any()

    @property
    def has_unsure(self) -> bool:
        """Whether any pixel is uncertain."""
        return bool((self.pixels == IGNORE).any())


@dataclass(frozen=True)
class AnnotatedImage:
    """One image of a foreign file with its objects.

    Args:
        name: as the file spells it.
        size: rows and columns.
        instances: the objects.
        packed_void: (H, W) bool, compressed: pixels without a label beside the objects; empty: none.
    """

    name: str
    size: tuple[int, int]
    instances: tuple[Instance, ...] = ()
    packed_void: bytes = field(default=b"", repr=False)

    @property
    def void(self) -> np.ndarray:
        """(H, W) bool: the pixels that are ignored, beside the uncertain pixels of the objects."""
        if not self.packed_void:
            return np.zeros(self.size, bool)
        return np.frombuffer(zlib.decompress(self.packed_void), bool).reshape(self.size)


def listed_classes(images: Sequence[AnnotatedImage], classes: ClassList) -> tuple[int, ...]:
    """Return the ids of the classes that a file lists: the background only if an object has that class."""
    if classes.background < 0:
        return classes.foreground
    name = classes.names[classes.background]
    used = any(one.label == name for image in images for one in image.instances)
    return tuple(range(len(classes))) if used else classes.foreground


def check_shape(shape: str, *known: str) -> None:
    """Raise UsageError unless a writer supports the shape requested for objects."""
    if shape not in known:
        raise UsageError(f"--set shape={shape}: give {', '.join(known[:-1])} or {known[-1]}")


def _short(value: float) -> float:
    """Return the number with the fewest digits that is equal in 32 bits: 0.1, not 0.10000000149."""
    return float(str(np.float32(value)))


def paste(piece: np.ndarray, corner: Sequence[int], onto: np.ndarray) -> None:
    """Paste a piece into an image with its first pixel at column and row ``corner``, cut at the border."""
    (height, width), (x, y) = piece.shape, corner
    top, left = max(0, -y), max(0, -x)
    target = onto[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    target[...] = piece[top : top + target.shape[0], left : left + target.shape[1]]


def extent(mask: np.ndarray) -> Window | None:
    """Return the columns and rows that contain the object, as xyxy; None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def around(box: Sequence[float], size: tuple[int, int]) -> Window:
    """Return the whole pixels of an image that a box touches, as xyxy."""
    limits = np.array([size[1], size[0]])
    first = np.clip(np.floor(box[:2]), 0, limits).astype(int)
    last = np.clip(np.ceil(box[2:]), 0, limits).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])
