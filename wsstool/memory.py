"""Limits on memory: a budget for zips, and the error of an image that does not fit."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from wsstool.errors import BadInputError
from wsstool.types import Messages

Result = TypeVar("Result")

_SMALL_ZIP = 32 << 20  #: bytes that any zip may hold
_ZIP_RATIO = 100  #: how much larger its contents may be; text with blanks shrinks to about a 50th
_LARGEST_ZIP = 1 << 40

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


def peak_memory() -> int | None:
    """Return the most memory that this process has had, bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


def say_peak(messages: Messages) -> None:
    """Say how much memory the process has had at most, where the system tells."""
    if (peak := peak_memory()) is not None:
        messages.say(f"peak memory {peak / 2**30:.2f} GiB")


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether an exception of Python, numpy or torch says that memory is exhausted."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _WORDS)


def check_zip_budget(path: Path | str, members: Sequence[zipfile.ZipInfo], source: str) -> None:
    """Raise BadInputError if members of a zip claim more than a file of its length plausibly holds.

    Args:
        path: the zip.
        members: those that will be unpacked.
        source: its name in the message.

    Example:
        >>> bomb = zipfile.ZipInfo("a.json")
        >>> bomb.file_size = 1 << 30
        >>> check_zip_budget(__file__, [bomb], "'a.zip'")
        Traceback (most recent call last):
        wsstool.errors.BadInputError: 'a.zip' claims to unpack to 1,024 MiB, which its length does not warrant
    """
    claimed = sum(member.file_size for member in members)
    if claimed > min(max(_SMALL_ZIP, _ZIP_RATIO * os.path.getsize(path)), _LARGEST_ZIP):
        raise BadInputError(
            f"{source} claims to unpack to {claimed >> 20:,} MiB, which its length does not warrant"
        )
