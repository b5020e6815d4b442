"""Images that are too large for one pass of a network: which they are, and their windows, read ahead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from wsstool.data.dataset import Dataset
from wsstool.data.pictures.picture import Picture
from wsstool.data.pictures.scale import Scale, open_at, size_at
from wsstool.errors import BadInputError, WsstoolError
from wsstool.models.windows.plan import Window, Windows, plan_windows
from wsstool.parallel import map_in_threads

WHOLE_PIXELS = 4096 * 4096
"""Images of more pixels are computed in windows unless ``--window`` says otherwise."""

BATCH_PIXELS = 512 * 512
"""Pixels of a window that count as one image of a batch."""


class WindowOptions(Protocol):
    """The options about windows; see ``stages.options.groups``."""

    @property
    def window(self) -> int | None: ...
    @property
    def overlap(self) -> int | None: ...


class ScaleOptions(Protocol):
    """The options about the scale of slides; see ``stages.options.pictures``."""

    @property
    def level(self) -> int | None: ...
    @property
    def mpp(self) -> float | None: ...


def scale_of(options: ScaleOptions) -> Scale | None:
    """Return the scale that options ask for; None: the full size."""
    if options.level is None and options.mpp is None:
        return None
    return Scale(options.level or 0, options.mpp)


def scale_of_params(params: Mapping[str, Any]) -> Scale | None:
    """Return the scale of the images that a file was made from, by the options in its header.

    Raises:
        BadInputError: no options that a command has.
    """
    level, mpp = params.get("level"), params.get("mpp")
    if level is None and mpp is None:
        return None
    is_level = level is None or (isinstance(level, int) and level >= 0)
    if not is_level or not (mpp is None or (isinstance(mpp, int | float) and 0 < mpp < np.inf)):
        raise BadInputError("the options 'level' and 'mpp' in the header of the input are damaged")
    return Scale(level or 0, mpp)


def picture_sizes(dataset: Dataset, at: Scale | None = None) -> np.ndarray:
    """Return the (N, 2) int32 rows and columns of images, also of those that are only read in parts.

    Headers that cannot be read give (0, 0): whoever decodes the image reports and counts the error.
    """
    sizes = np.zeros((len(dataset), 2), np.int32)
    for i in range(len(dataset)):
        with suppress(WsstoolError):
            sizes[i] = size_at(dataset.path(i), at)
    return sizes


@dataclass(frozen=True)
class LargeImage:
    """An image that is read in parts.

    Attributes:
        path: the file.
        shape: rows, columns and 3, as of the array that it stands for.
        at: the scale at which it is read.
    """

    path: Path
    shape: tuple[int, int, int]
    at: Scale | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.shape[:2]

    def opened(self) -> AbstractContextManager[Picture]:
        """Open the file for reading regions.

        Raises:
            BadInputError, MissingInputError: see ``open_at``; or its size is another by now.
        """
        picture = open_at(self.path, self.at)
        if picture.size != self.size:
            picture.close()
            raise WsstoolError(
                f"'{self.path}' has {picture.size[1]} x {picture.size[0]} pixels instead of "
                f"{self.size[1]} x {self.size[0]}"
            )
        return closing(picture)


def in_windows(window: int | None, sizes: np.ndarray) -> np.ndarray:
    """Return which images are computed in windows, (N,) bool.

    Args:
        window: side of the windows; images with a longer side are large; 0: none is; None: those of more than
            ``WHOLE_PIXELS``.
        sizes: (N, 2) rows and columns.
    """
    if window == 0:
        return np.zeros(len(sizes), bool)
    if window is None:
        return np.asarray(sizes.astype(np.int64).prod(1) > WHOLE_PIXELS)
    return np.asarray((sizes > window).any(1))


def chosen_windows(
    options: WindowOptions,
    *,
    multiple: int = 1,
    scales: Sequence[float] = (1.0,),
    cells: Sequence[int] = (1,),
) -> Windows:
    """Return the windows that options ask for; arguments as in ``plan_windows``."""
    return plan_windows(
        options.window or None, options.overlap, multiple=multiple, scales=scales, cells=cells
    )


def windows_per_batch(batch_size: int, windows: Windows) -> int:
    """Return how many windows go through a network together: as many pixels as ``batch_size`` small images.

    >>> windows_per_batch(8, Windows(1024, 256)), windows_per_batch(4, Windows(2048, 512))
    (2, 1)
    """
    return max(1, batch_size * BATCH_PIXELS // windows.window**2)


def read_windows(
    picture: Picture, where: Sequence[Window], at_once: int, workers: int
) -> Iterator[tuple[list[Window], list[np.ndarray]]]:
    """Read the windows of a picture ahead, in order, in batches of equal size.

    Args:
        picture: open.
        where: the windows.
        at_once: most windows of a batch.
        workers: threads that read.
    """

    def read(window: Window) -> np.ndarray:
        rows, columns = window
        return picture.region(rows.first, columns.first, *window.size)

    held: list[Window] = []
    pixels: list[np.ndarray] = []
    for window, part in zip(where, map_in_threads(read, where, workers), strict=True):
        if held and (len(held) == at_once or held[0].size != window.size):
            yield held, pixels
            held, pixels = [], []
        held.append(window)
        pixels.append(part)
    if held:
        yield held, pixels
