"""Refuse pipes and devices where a file is to be read: opening one may wait for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_STREAMS = ("/dev/fd/", "/proc/", "/dev/stdin")
"""Paths by which a shell passes an open pipe on, which has a writer."""


def regular(path: Path) -> Path:
    """Return the path of a file or folder, or of a pipe that a shell opened, such as ``<(...)``.

    Raises:
        OSError: no such file; a pipe, a socket or a device.
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or str(path).startswith(_STREAMS)):
        raise OSError("it is a pipe or a device, not a file")
    return path
