"""The loop of every stage that writes records: one result or one error per image, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from wsstool import store
from wsstool.errors import CannotWriteError, WsstoolError
from wsstool.memory import within_memory
from wsstool.stages.inputs.image_batches import Batch
from wsstool.stages.inputs.windows import LargeImage
from wsstool.types import Messages


class OutputOptions(Protocol):
    """The options of a command that say where records go; see ``stages.options``."""

    @property
    def output(self) -> Path | None: ...
    @property
    def force(self) -> bool: ...
    @property
    def max_failed(self) -> int: ...


class Payload(NamedTuple):
    """What is stored for one image: its payload, and its rows of the columns behind the payload."""

    data: np.ndarray | store.SpooledArray | store.Chain
    tail: dict[str, Any] = {}  # noqa: RUF012 - never changed


def per_image(
    batches: Iterable[Batch],
    compute: Callable[[list[int], list[np.ndarray]], Iterable[Payload | WsstoolError]],
    start: int = 0,
    compute_large: Callable[[int, LargeImage], Payload] | None = None,
) -> Iterator[Payload | WsstoolError]:
    """Compute the readable images of each batch together; unreadable ones pass on as their error.

    Args:
        batches: numbers of images, and their pixels or why there are none; see ``read_batches``.
        compute: of the numbers and pixels of the readable images of a batch, one result each.
        start: results of images before it are dropped: they are already written.
        compute_large: of the number of a large image and the image.
    """
    for numbers, images in batches:
        good = [k for k, image in enumerate(images) if isinstance(image, np.ndarray)]
        found = _computed(compute, [numbers[k] for k in good], [images[k] for k in good])  # type: ignore[misc]
        results: list[Any] = list(images)
        for k, result in zip(good, found, strict=True):
            results[k] = result
        for k, image in enumerate(images):
            if isinstance(image, LargeImage):
                assert compute_large is not None
                results[k] = computed(partial(compute_large, numbers[k], image), image.size)
        yield from (result for i, result in zip(numbers, results, strict=True) if i >= start)


def computed(compute: Callable[[], Payload], size: Sequence[int]) -> Payload | WsstoolError:
    """Compute an image of (rows, columns) ``size``; return the error that belongs to it alone.

    Raises:
        CannotWriteError: no space for temporary files.
    """
    try:
        return within_memory(compute, size)
    except CannotWriteError:
        raise
    except WsstoolError as error:  # the file is damaged somewhere
        return error


def _computed(
    compute: Callable[[list[int], list[np.ndarray]], Iterable[Payload | WsstoolError]],
    numbers: list[int],
    images: list[np.ndarray],
) -> list[Payload | WsstoolError]:
    """Compute a batch; if it does not fit into memory, one image after the other."""
    if not images:
        return []
    found = within_memory(lambda: list(compute(numbers, images)), images[0].shape[:2])
    if not isinstance(found, WsstoolError):
        return found
    if len(images) == 1:
        return [found]
    return [one for k, i in enumerate(numbers) for one in _computed(compute, [i], [images[k]])]


def create(
    header: store.Header,
    options: OutputOptions,
    messages: Messages,
    reading: Sequence[store.Reader | None] = (),
) -> store.Writer:
    """Start, resume or skip the output of a command, see ``store.create``; inputs may be None."""
    return store.create(
        header,
        options.output,
        force=options.force,
        max_failed=options.max_failed,
        messages=messages,
        reading=[one for one in reading if one is not None],
    )


def write_all(
    writer: store.Writer,
    results: Iterable[Payload | WsstoolError],
    messages: Messages,
    what: str,
) -> None:
    """Write one result per image that is left; an error marks its image as failed.

    Args:
        writer: a file that is begun; ``writer.start`` images are in it already.
        results: of the images from ``writer.start`` on.
        messages: where the progress is shown.
        what: is counted by the progress bar, such as "class maps".

    Raises:
        SomeFailedError: more images failed than allowed, when the writer is closed.
        CannotWriteError: no space.
    """
    with messages.track(len(writer.header) - writer.start, what) as advance:
        for result in results:
            if isinstance(result, WsstoolError):
                writer.fail(str(result))
            else:
                writer.write(result.data, **result.tail)
            advance()
