"""A budget for zip files: a file of kilobytes may claim to hold petabytes."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from wsstool.errors import BadInputError

_SMALL = 32 << 20  #: bytes that any zip may hold
_RATIO = 100  #: how much larger than the zip its contents may be; text with blanks shrinks to about a 50th
_LARGEST = 1 << 40


def check_budget(path: Path | str, members: Sequence[zipfile.ZipInfo], source: str) -> None:
    """Raise BadInputError if members of a zip claim more than a file of its length plausibly holds.

    Args:
        path: the zip.
        members: those that will be unpacked.
        source: its name in the message.

    Example:
        >>> bomb = zipfile.ZipInfo("a.json")
        >>> bomb.file_size = 1 << 30
        >>> check_budget(__file__, [bomb], "'a.zip'")
        Traceback (most recent call last):
        wsstool.errors.BadInputError: 'a.zip' claims to unpack to 1,024 MiB, which its length does not warrant
    """
    claimed = sum(member.file_size for member in members)
    if claimed > min(max(_SMALL, _RATIO * os.path.getsize(path)), _LARGEST):
        raise BadInputError(
            f"{source} claims to unpack to {claimed >> 20:,} MiB, which its length does not warrant"
        )
