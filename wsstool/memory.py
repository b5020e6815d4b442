"""Turn a lack of memory into the error of one image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from wsstool.errors import BadInputError

Result = TypeVar("Result")

_WORDS = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "could not create a memory",
)


class TooLargeError(BadInputError):
    """An image is too large for the memory of this machine."""


def too_large(size: Sequence[int]) -> TooLargeError:
    """Return the error of an image of (rows, columns) ``size``."""
    return TooLargeError(
        f"its {size[1]} x {size[0]} pixels do not fit into memory; reduce or cut the image, use a smaller "
        "--scale, or a machine with more memory"
    )


def within_memory(make: Callable[[], Result], size: Sequence[int]) -> Result | TooLargeError:
    """Call ``make``; return a TooLargeError if there is not enough memory for it.

    Args:
        make: computes something of one image; its other exceptions are raised.
        size: rows and columns of the image, for the message.
    """
    try:
        return make()
    except (MemoryError, RuntimeError) as error:  # torch raises a RuntimeError of its own
        if not is_lack_of_memory(error):
            raise
    return too_large(size)  # not while the exception keeps the frames and their arrays alive


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether an exception of Python, numpy or torch says that memory is exhausted."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _WORDS)
