"""Images of a data set in order, decoded ahead by threads, in batches of equal size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np

from wsstool.data.dataset import Dataset
from wsstool.data.images import read_image
from wsstool.data.pictures.opening import SLIDE_SUFFIXES
from wsstool.data.pictures.scale import Scale, open_at
from wsstool.errors import UsageError, WsstoolError
from wsstool.memory import TooLargeError, too_large
from wsstool.stages.inputs.windows import LargeImage

ImageOrError = np.ndarray | LargeImage | WsstoolError

Batch = tuple[list[int], list[ImageOrError]]
"""Numbers of images, and their pixels or why there are none."""


def plan_batches(
    sizes: np.ndarray, batch_size: int, start: int = 0, alone: np.ndarray | None = None
) -> list[list[int]]:
    """Consecutive images of equal size, at most ``batch_size`` together.

    The plan is made for the whole set and cut afterwards: a resumed run computes the same batches, so that
    rounding, which depends on the batch, gives the same bytes.

    Args:
        sizes: (N, 2) rows and columns.
        batch_size: at least 1.
        start: batches that end before this image are left out.
        alone: (N,) bool, images that are a batch of their own.

    >>> plan_batches(np.array([[4, 4], [4, 4], [4, 5], [4, 5], [4, 5]]), 2)
    [[0, 1], [2, 3], [4]]
    """
    if batch_size < 1:
        raise UsageError(f"--batch-size must be at least 1, not {batch_size}")
    batches: list[list[int]] = []
    singles = np.zeros(len(sizes), bool) if alone is None else alone
    for i, size in enumerate(sizes.tolist()):
        if (
            batches
            and not singles[i]
            and len(batches[-1]) < batch_size
            and sizes[batches[-1][0]].tolist() == size
        ):
            batches[-1].append(i)
        else:
            batches.append([i])
    return [batch for batch in batches if batch[-1] >= start]


def dataset_batches(
    dataset: Dataset,
    sizes: np.ndarray,
    batch_size: int,
    workers: int,
    start: int = 0,
    corruption: Callable[[np.ndarray, str], np.ndarray] | None = None,
    large: np.ndarray | None = None,
    at: Scale | None = None,
) -> Iterator[Batch]:
    """Decode the images of a data set in batches of equal size, see ``plan_batches`` and ``read_batches``.

    With a ``corruption`` of (image, name in the data folder), the images come corrupted. ``large``: (N,)
    bool, images that come unread, each for itself, as a ``LargeImage``. ``at``: the scale of slides.
    """
    paths = [dataset.path(i) for i in range(len(dataset))]
    batches = plan_batches(sizes, batch_size, start, large)
    if corruption is None:
        return read_batches(paths, sizes, batches, workers, large=large, at=at)
    change = lambda image, i: corruption(image, dataset.names[i])  # noqa: E731
    return read_batches(paths, sizes, batches, workers, change, large=large, at=at)


def read_batches(
    paths: list[Path],
    sizes: np.ndarray,
    batches: list[list[int]],
    workers: int = 2,
    change: Callable[[np.ndarray, int], np.ndarray] | None = None,
    large: np.ndarray | None = None,
    at: Scale | None = None,
) -> Iterator[Batch]:
    """Decode the images of each batch, in order, some batches ahead.

    An image that cannot be read, or whose size is not the planned one, comes as the error that says so.

    Args:
        paths: N files.
        sizes: (N, 2) planned rows and columns.
        batches: indices, as ``plan_batches`` gives them.
        workers: threads; Pillow decodes outside Python's lock. 0: read when asked.
        change: applied to each decoded image and its index, in the threads; keeps the size.
        large: (N,) bool, images that are not decoded.
        at: the scale at which slides are read; None: the full size.
    """

    def read(i: int) -> ImageOrError:
        if large is not None and large[i]:
            if change is not None:
                return WsstoolError("corruptions are made of whole images, and this one is too large")
            return LargeImage(paths[i], (int(sizes[i, 0]), int(sizes[i, 1]), 3), at)
        image = read_sized_image(paths[i], sizes[i], at)
        return change(image, i) if change and isinstance(image, np.ndarray) else image

    ahead = 2 * workers
    waiting: deque[tuple[list[int], list[Future[ImageOrError]]]] = deque()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        try:
            for batch in batches:
                waiting.append((batch, [pool.submit(read, i) for i in batch]))
                if len(waiting) > ahead:
                    yield _collected(waiting.popleft())
            while waiting:
                yield _collected(waiting.popleft())
        finally:
            for _, futures in waiting:
                for future in futures:
                    future.cancel()


def _read(path: Path, at: Scale | None) -> np.ndarray:
    if at is None and path.suffix.lower() not in SLIDE_SUFFIXES:
        return read_image(path)
    with closing(open_at(path, at)) as picture:
        return picture.region(0, 0, *picture.size)


def _collected(waiting: tuple[list[int], list[Future[ImageOrError]]]) -> tuple[list[int], list[ImageOrError]]:
    return waiting[0], [future.result() for future in waiting[1]]


def read_sized_image(path: Path, size: np.ndarray, at: Scale | None = None) -> np.ndarray | WsstoolError:
    """One image of (rows, columns) ``size`` at scale ``at``, or the error that says why not."""
    try:
        image = _read(path, at)
    except TooLargeError:
        return too_large(size.tolist())
    except WsstoolError as error:
        return error
    if image.shape[:2] != tuple(size):
        found, planned = image.shape[1::-1], tuple(size[::-1].tolist())
        return WsstoolError(
            f"'{path}' has {found[0]} x {found[1]} pixels instead of {planned[0]} x {planned[1]}"
        )
    return image
