"""The cache inside a pipe: results by key, in files that are ordinary record files.

Off unless ``WSSTOOL_CACHE`` is set: ``1`` for the user's cache folder, or a folder's path.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wsstool.errors import CannotWriteError

_OFF = ("", "0", "no", "off", "false")


def folder(setting: str | None = None) -> Path | None:
    """The cache folder, or None when caching is off.

    Args:
        setting: as ``WSSTOOL_CACHE``; None: that variable.
    Raises:
        CannotWriteError: the folder cannot be made.
    """
    setting = os.environ.get("WSSTOOL_CACHE", "") if setting is None else setting
    if setting.lower() in _OFF:
        return None
    if setting.lower() in ("1", "yes", "on", "true"):
        from platformdirs import user_cache_dir

        path = Path(user_cache_dir("wsstool"))
    else:
        path = Path(setting)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWriteError(f"cannot make the cache folder '{path}': {error.strerror}") from error
    return path


def entry(path: Path, key: str) -> Path:
    """Where the result of a key is kept."""
    return path / f"{key}.h5"


def send(path: Path, write: Callable[[bytes], None]) -> None:
    """Write the stored bytes, and mark the entry as used now."""
    os.utime(path)
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            write(data)


@dataclass(frozen=True)
class Entry:
    """One cached result; ``used`` is the time of its last use in seconds since 1970."""

    key: str
    path: Path
    size: int
    used: float


def entries(path: Path) -> list[Entry]:
    """What is cached, most recently used first."""

    def found() -> Iterator[Entry]:
        for file in path.glob("*.h5"):
            status = file.stat()
            yield Entry(file.stem, file, status.st_size, status.st_mtime)

    return sorted(found(), key=lambda e: -e.used)


def prune(path: Path, max_size: int) -> list[Entry]:
    """Remove the least recently used entries until at most ``max_size`` bytes are left; returns those."""
    kept, removed = 0, []
    for one in entries(path):
        kept += one.size
        if kept > max_size:
            one.path.unlink(missing_ok=True)
            kept -= one.size
            removed.append(one)
    return removed
